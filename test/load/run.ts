/** `npm run bench [-- NAME…]`: starts the engines, runs the benchmarks beside this file and prints their rows. */
import { cpus } from 'node:os';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import { startFirestore } from '../../infra/local/engines/firestore.ts';
import { startKafka } from '../../infra/local/engines/kafka.ts';
import { startStorage } from '../../infra/local/engines/storage.ts';
import { freePort } from '../../infra/local/ports.ts';
import type { Bench, Row } from './rows.ts';

const LOCAL = join(import.meta.dirname, '../../.local');
const asked = process.argv.slice(2);
const names = (await readdir(import.meta.dirname))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace('.bench.ts', ''))
  .filter((name) => asked.length === 0 || asked.includes(name));

const dir = await mkdtemp(join(LOCAL, 'bench-'));
const place = async (name: string) => ({
  port: await freePort(),
  dataDir: join(dir, name),
  logFile: join(dir, `${name}.log`),
});
const engines = await Promise.all([
  place('firestore').then(startFirestore),
  place('storage').then(startStorage),
  place('kafka').then(startKafka),
]);
const [firestore, storage, kafka] = engines.map((engine) => engine.address);
Object.assign(process.env, {
  FIRESTORE_EMULATOR_HOST: firestore,
  STORAGE_EMULATOR_HOST: storage,
  KAFKA_BOOTSTRAP_SERVERS: kafka,
  METADATA_SERVER_DETECTION: 'none',
});

try {
  for (const name of names) {
    const { bench } = (await import(`./${name}.bench.ts`)) as { bench: Bench };
    print(name, await bench((text) => console.error(`  ${name}: ${text}`)));
  }
  console.log(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`);
} finally {
  await Promise.all(engines.map((engine) => engine.stop()));
  await rm(dir, { recursive: true, force: true });
}
// Clients of the engines keep sockets open that nobody will use again.
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
