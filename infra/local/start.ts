/**
 * `npm start`: starts the local stack, shows what happens on it, and stops it on Ctrl-C, SIGTERM or a closed terminal.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import { relative, resolve } from 'node:path';
import { followLines, parseLine } from './lines.ts';
import { addressesOf, startStack, type Stack, type StackFile } from './stack.ts';

const root = resolve(import.meta.dirname, '../..');
// Google's clients would look for a metadata server, wait for it, and warn that there is none.
process.env['METADATA_SERVER_DETECTION'] ??= 'none';

const command = new Command('npm start --')
  .description('Starts the local stack: emulators, Kafka, the functions, the worker and the stand-ins.')
  .option('--keep', 'continue on the data of the last run')
  .addHelpText('after', '\nExample:\n  npm start -- --keep')
  .parse();
const { keep = false } = command.opts<{ keep?: boolean }>();
const dropFolder = resolve(root, process.env['PATIENT_IMPORT_LOCAL_PATH'] ?? 'drop');

const ended = new AbortController();
let running: Stack | undefined;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void shutDown());

try {
  const dir = resolve(root, '.local');
  running = await startStack({ dir, ports: 'configured', keep, dropFolder, onProgress: say });
  console.log(addressTable(running.describe()));
  console.log(`drop files into ${relative(process.cwd(), dropFolder)}/, or use npm run drop -- FILE`);
  console.log(`watch it, and stop or kill its parts: ${running.describe().page}`);
  console.log('ready');
  await showPublished(running);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

/** Before everything is ready, and on a second signal, exits at once: the reaper ends the parts. */
async function shutDown(): Promise<void> {
  if (running === undefined || ended.signal.aborted) process.exit(130);
  ended.abort();
  console.log('stopping');
  await running.stop();
  process.exit();
}

function say(name: string, sentence: string): void {
  console.log(`${name.padEnd(14)} ${sentence}`);
}

function addressTable(stack: StackFile): string {
  const table = new Table({ style: { head: [], border: [] } });
  table.push(...Object.entries(addressesOf(stack)));
  for (const [role, token] of Object.entries(stack.tokens)) {
    table.push([`token ${role}`, `${token.slice(0, 24)}… (whole in .local/stack.json)`]);
  }
  return table.toString();
}

/** One line for each event that the worker publishes: type, patient, sequence, milliseconds since the commit. */
async function showPublished(stack: Stack): Promise<void> {
  const lines = followLines(stack.logFile('worker'), { signal: ended.signal, last: keep ? 0 : undefined });
  for await (const line of lines) {
    const entry = parseLine(line) as Published | undefined;
    const delay = entry?.metrics?.publish_latency_ms;
    if (entry === undefined || delay === undefined) continue;
    const { event_type, patient_id, sequence } = entry;
    say('published', `${event_type} · patient ${patient_id} · sequence ${sequence} · ${delay} ms`);
  }
}

/** The members of the worker's log line about an event that are shown; every other line lacks the metric. */
interface Published {
  readonly event_type: string;
  readonly patient_id: number;
  readonly sequence: number;
  readonly metrics?: { readonly publish_latency_ms?: number };
}
