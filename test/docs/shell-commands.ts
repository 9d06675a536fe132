/** Finds the commands that a page shows: those of its shell blocks, and those in its text that begin with a tool of ours. */
import { forEachChild, parse, type Command as ParsedCommand, type SyntaxNode } from 'unbash';

export interface Command {
  /** Of the page, from 1. */
  readonly line: number;
  /** `block` is meant to be pasted; `text` may be a mere mention. */
  readonly place: 'block' | 'text';
  readonly name: string;
  readonly args: readonly string[];
  /** Set for this command alone, such as `OPS=write`. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface PageCommands {
  readonly commands: readonly Command[];
  /** Shell functions that the page defines. */
  readonly functions: ReadonlySet<string>;
  readonly syntaxErrors: readonly string[];
}

const BLOCK = /^ *```(?:sh|bash|console)\n([^]*?)^ *```$/gm;
const ANY_BLOCK = /^ *```[^]*?^ *```$/gm;
const CODE_IN_TEXT = /`([^`\n]+)`/g;
const OURS = /^(?:OPS=write )?(?:npm|npx|ops|gcloud|terraform|\.ci\/\w+|infra\/[\w/-]+\.sh)(?: |$)/;

export function commandsIn(page: string): PageCommands {
  const commands: Command[] = [];
  const functions = new Set<string>();
  const syntaxErrors: string[] = [];

  function read(script: string, at: number, place: Command['place']): void {
    const visit = (node: SyntaxNode): void => {
      if (node.type === 'Script') {
        for (const { message, pos } of node.errors ?? [])
          syntaxErrors.push(`line ${lineOf(page, at + pos)}: ${message}`);
      }
      if (node.type === 'Function') functions.add(node.name.value);
      if (node.type === 'Command' && node.name !== undefined) {
        commands.push({
          line: lineOf(page, at + node.pos),
          place,
          name: node.name.value,
          args: node.args.map((arg) => (arg.type === 'Word' ? arg.value : arg.text)),
          environment: environmentOf(node.prefix),
        });
      }
      forEachChild(node, visit);
    };
    visit(parse(script));
  }

  for (const { 0: block, 1: script = '', index } of page.matchAll(BLOCK))
    read(script, index + block.indexOf(script), 'block');
  const text = page.replaceAll(ANY_BLOCK, (block) => block.replaceAll(/[^\n]/g, ' '));
  for (const { 1: code = '', index } of text.matchAll(CODE_IN_TEXT))
    if (OURS.test(code)) read(code, index + 1, 'text');
  return { commands, functions, syntaxErrors };
}

function environmentOf(prefix: ParsedCommand['prefix']): Record<string, string> {
  const assignments = prefix.filter((part) => part.type === 'Assignment');
  return Object.fromEntries(
    assignments.map(({ name, value }) => [name, value.type === 'Word' ? value.value : '']),
  );
}

function lineOf(page: string, at: number): number {
  return page.slice(0, at).split('\n').length;
}
