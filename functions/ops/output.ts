/**
 * How the operators' commands speak: a table for people, JSON for programs, progress on standard error, which is one
 * line on a terminal and a line every ten seconds elsewhere. Colours only on a terminal.
 */
import { styleText } from 'node:util';
import Table from 'cli-table3';

export interface Output {
  /** One row for each record, under the records' own names. */
  table(columns: readonly string[], rows: readonly (readonly Cell[])[]): void;
  /** One record. */
  fields(record: Readonly<Record<string, Cell>>): void;
  /** A sentence for people; programs have the data. */
  say(sentence: string, mood?: 'good' | 'bad'): void;
  /** Where a long command stands; an empty sentence clears it away. */
  progress(sentence: string): void;
}

export type Cell = string | number | boolean | null;

export interface Streams {
  readonly out: NodeJS.WritableStream & { isTTY?: boolean };
  readonly err: NodeJS.WritableStream & { isTTY?: boolean };
}

const LINE_EVERY_MS = 10_000;
const BAR_LENGTH = 20;

/** `[##########··········]  50 %`; full also when more is done than was expected. */
export function progressBar(done: number, total: number): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const bar = '#'.repeat(Math.floor(share * BAR_LENGTH)).padEnd(BAR_LENGTH, '·');
  return `[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}

export function createOutput(json: boolean, { out, err }: Streams): Output {
  const print = (text: string) => void out.write(`${text}\n`);
  const paint = (format: Parameters<typeof styleText>[0], text: string) =>
    out.isTTY === true ? styleText(format, text, { validateStream: false }) : text;
  if (json) {
    return {
      table: (columns, rows) =>
        print(
          JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((name, n) => [name, row[n]])))),
        ),
      fields: (record) => print(JSON.stringify(record)),
      say: () => undefined,
      progress: () => undefined,
    };
  }
  let lastLineAt = performance.now();
  return {
    table(columns, rows) {
      const table = plainTable(columns.map((name) => paint('bold', name)));
      table.push(...rows.map((row) => row.map(textOf)));
      print(table.toString());
    },
    fields(record) {
      const table = plainTable();
      table.push(...Object.entries(record).map(([name, value]) => [paint('bold', name), textOf(value)]));
      print(table.toString());
    },
    say: (sentence, mood) =>
      print(mood === undefined ? sentence : paint(mood === 'good' ? 'green' : 'red', sentence)),
    progress(sentence) {
      if (err.isTTY === true) {
        err.write(`\r\u001B[2K${sentence}`);
        return;
      }
      if (sentence === '' || performance.now() - lastLineAt < LINE_EVERY_MS) return;
      lastLineAt = performance.now();
      err.write(`${sentence}\n`);
    },
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

/** Control and format characters are shown by their number: a foreign text must not steer the terminal. */
function textOf(cell: Cell): string {
  if (cell === null) return '-';
  return String(cell).replace(/[^\P{C}\n\t]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
}
