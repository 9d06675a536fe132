/**
 * Output of the operators' commands: a table for people, JSON for programs, progress of long work on standard error.
 * Colours appear on a terminal only.
 */
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { showProgress, silent, type Progress, type Shown } from '../../shared/platform/progress.ts';

export interface Output {
  /** One row for each record, under the records' own names. */
  table(columns: readonly string[], rows: readonly (readonly Cell[])[]): void;
  /** A table whose rows are found in the course of long work: people see them at once, programs get one array in the end. */
  tableInParts(columns: readonly string[]): TableInParts;
  /** One record. */
  fields(record: Readonly<Record<string, Cell>>): void;
  /** A sentence for people; with `--json` it is left out. */
  say(sentence: string, mood?: 'good' | 'bad'): void;
  /** Runs long work and shows its progress to people; with `--json` it shows nothing. */
  during<T>(shown: Shown, work: (progress: Progress) => Promise<T>): Promise<T>;
}

export interface TableInParts {
  add(rows: readonly (readonly Cell[])[]): void;
  /** Call it also when the work ends early. */
  end(): void;
}

export type Cell = string | number | boolean | null;

export interface Streams {
  readonly out: NodeJS.WritableStream & { isTTY?: boolean };
  readonly err: NodeJS.WritableStream & { isTTY?: boolean };
}

export function createOutput(json: boolean, { out, err }: Streams): Output {
  const print = (text: string) => void out.write(`${text}\n`);
  const paint = (format: Parameters<typeof styleText>[0], text: string) =>
    out.isTTY === true ? styleText(format, text, { validateStream: false }) : text;
  if (json) {
    const table: Output['table'] = (columns, rows) =>
      print(JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((name, n) => [name, row[n]])))));
    return {
      table,
      tableInParts(columns) {
        const all: (readonly Cell[])[] = [];
        return {
          add: (rows) => void all.push(...rows),
          end: () => all.length > 0 && table(columns, all),
        };
      },
      fields: (record) => print(JSON.stringify(record)),
      say: () => undefined,
      during: (_, work) => work(silent),
    };
  }
  const table: Output['table'] = (columns, rows) => {
    const shown = plainTable(columns.map((name) => paint('bold', name)));
    shown.push(...rows.map((row) => row.map(textOf)));
    print(shown.toString());
  };
  return {
    table,
    tableInParts: (columns) => ({
      add: (rows) => rows.length > 0 && table(columns, rows),
      end: () => undefined,
    }),
    fields(record) {
      const table = plainTable();
      table.push(...Object.entries(record).map(([name, value]) => [paint('bold', name), textOf(value)]));
      print(table.toString());
    },
    say: (sentence, mood) =>
      print(mood === undefined ? sentence : paint(mood === 'good' ? 'green' : 'red', sentence)),
    during: (shown, work) => showProgress(err, shown, work),
  };
}

/** "1 patient", "2 patients". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function plainTable(head: string[] = []): Table.Table {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' };
  const sides = {
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    right: '',
    'right-mid': '',
  };
  return new Table({
    head,
    chars: { ...none, ...sides, mid: '', 'mid-mid': '', middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
}

/** Shows control and format characters by their number: text from outside must not control the terminal. */
function textOf(cell: Cell): string {
  if (cell === null) return '-';
  return String(cell).replace(/[^\P{C}\n\t]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
}
