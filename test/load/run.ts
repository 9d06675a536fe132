/** `npm run bench [-- NAME…]`: starts the engines, runs the benchmarks beside this file and prints their rows. */
import { cpus } from 'node:os';
import { readdir } from 'node:fs/promises';
import Table from 'cli-table3';
import { startEngines } from '../support/engines.ts';
import type { Bench, Row } from './rows.ts';

const asked = process.argv.slice(2);
const names = (await readdir(import.meta.dirname))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace('.bench.ts', ''))
  .filter((name) => asked.length === 0 || asked.includes(name));

// 50,000 patients with 100,000 waiting events take the emulator more than 4 GiB.
const engines = await startEngines('bench', '8g');
try {
  for (const name of names) {
    const { bench } = (await import(`./${name}.bench.ts`)) as { bench: Bench };
    print(name, await bench((text) => console.error(`  ${name}: ${text}`)));
  }
  console.log(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`);
} finally {
  await engines.stop();
}
// Clients of the engines keep unused sockets open.
process.exit();

function print(name: string, rows: readonly Row[]): void {
  const table = new Table({
    head: [name, 'value', 'bare loop', 'ratio', 'goal'],
    colAligns: ['left', 'right', 'right', 'right', 'left'],
    style: process.stdout.isTTY ? {} : { head: [], border: [] },
  });
  for (const { name, value, unit, bare, goal } of rows) {
    const shown = (figure: number) => `${figure.toFixed(figure < 10 ? 2 : 0)} ${unit}`;
    const ratio = bare === undefined ? '' : (value / bare).toFixed(2);
    table.push([name, shown(value), bare === undefined ? '' : shown(bare), ratio, goal ?? '']);
  }
  console.log(table.toString());
}
