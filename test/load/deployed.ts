/** Deployables for a benchmark: as their images start them, in a cgroup with their memory limit where one can be made, and their load. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Firestore } from '@google-cloud/firestore';
import type { Bucket } from '@google-cloud/storage';
import type { Deployable } from '../../infra/bundle.ts';
import { headersOf } from '../../infra/local/eventarc.ts';
import { freePort, HOST, isListening } from '../../infra/local/ports.ts';
import { launch } from '../../infra/local/process.ts';
import { untilReady } from '../../infra/local/ready.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { aRegistration } from '../support/builders.ts';
import { memoryGroup, type MemoryGroup } from './cgroup.ts';
import { asInTheImage, type Form } from './image.ts';
import { concurrencyOf, memoryLimitMiB } from './limits.ts';
import { peakMiB, rate } from './rows.ts';

/** A bundle that can be started several times. */
export interface Image {
  readonly name: Deployable;
  readonly form: Form;
  readonly logFile: string;
}

/** Bundles a deployable. @param dist see {@link asInTheImage} */
export async function build(name: Deployable, dist: string, environment: NodeJS.ProcessEnv): Promise<Image> {
  return { name, form: await asInTheImage(name, dist, environment), logFile: join(dist, `${name}.log`) };
}

/** A running deployable. */
export interface Deployed {
  readonly url: string;
  readonly pid: number;
  /** Undefined where no cgroup can be made. */
  readonly group: MemoryGroup | undefined;
  readonly stop: () => Promise<void>;
}

/** Starts a deployable and waits until it listens. */
export async function start(image: Image): Promise<Deployed> {
  const port = await freePort();
  const { group, ...command } = await commandOf(image);
  const env = { ...command.env, PORT: String(port) };
  const running = launch({ ...command, env, logFile: image.logFile });
  await untilReady(running, image.name, () => isListening(port));
  const stop = async () => {
    await running.stop();
    await group?.remove();
  };
  return { url: `http://${HOST}:${port}`, pid: running.pid ?? Number.NaN, group, stop };
}

/** Runs a command to its end. @returns the most memory that it took, in MiB. @throws Error when it fails */
export async function peakOf(image: Image, args: readonly string[]): Promise<number> {
  const { group, command, args: own, ...options } = await commandOf(image);
  const child = spawn(command, [...own, ...args], { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  // Its progress, without the lines of the audit trail.
  createInterface(child.stderr).on('line', (line) => {
    if (!line.startsWith('{')) console.error(`  ${line}`);
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  let peak = 0;
  while (!(await Promise.race([ended.then(() => true), sleep(50)]))) {
    // Not a number once the process has ended.
    peak = Math.max(peak, (await peakMiB(child.pid ?? 0).catch(() => 0)) || 0);
  }
  const [code] = await ended;
  await group?.remove();
  if (code !== 0) throw new Error(`${image.name} ${args.join(' ')} ended with ${code}`);
  return peak;
}

async function commandOf({ name, form }: Image) {
  const bytes = memoryLimitMiB(name) * 1024 ** 2;
  const group = await memoryGroup(`patient-service-${process.pid}-${name}`, bytes);
  const inside = group?.enter(process.execPath, form.args);
  return {
    ...(inside ?? { command: process.execPath, args: form.args }),
    group,
    cwd: form.folder,
    env: form.environment,
  };
}

/** Registration files without an address, so that no mails wait: a benchmark has no communication service. */
export function registrations(count: number): string[] {
  return Array.from({ length: count }, () => JSON.stringify(aRegistration({ email: null })));
}

/**
 * Uploads files and delivers their events, as many at a time as one instance of import-registration gets.
 * @returns files per second
 */
export async function importAll(
  project: string,
  { url }: Pick<Deployed, 'url'>,
  contents: readonly string[],
): Promise<number> {
  const bucket = await bucketOf(project);
  return rate(contents, concurrencyOf('import-registration'), async (content) => {
    const file = bucket.file(`incoming/${randomUUID()}.json`);
    // With the precondition the client repeats an upload whose connection was lost.
    await file.save(content, { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } });
    const { generation, timeCreated = '', size } = file.metadata;
    const object = { bucket: bucket.name, name: file.name, timeCreated };
    const answer = await fetch(url, {
      method: 'POST',
      headers: headersOf({ id: randomUUID(), object }),
      body: JSON.stringify({ ...object, generation, size }),
    });
    await expectStatus(answer, 204);
  });
}

/** The import bucket of a project, as `workerCorner` names it. */
function bucketOf(project: string): Promise<Bucket> {
  return connectBucket({
    GOOGLE_CLOUD_PROJECT: project,
    GCS_IMPORT_BUCKET: `${project}-import`,
    STORAGE_EMULATOR_HOST: process.env['STORAGE_EMULATOR_HOST'],
  }).client();
}

/** Waits until the worker has relayed all events. @throws Error after twenty minutes */
export async function untilRelayed(db: Firestore): Promise<void> {
  const end = performance.now() + 20 * 60_000;
  for (let started = performance.now(); started < end; started = performance.now()) {
    // The emulator looks through all entries for this, and may not answer in time while 100,000 of them are sent.
    const look = db.collection('outbox').where('kind', '==', 'kafka').limit(1).get();
    if ((await look.catch(() => undefined))?.empty === true) return;
    // Looking costs it as much as a page of the relay does, so the relay has it to itself at least half of the time.
    await sleep(Math.max(500, performance.now() - started));
  }
  throw new Error('the outbox still has events after twenty minutes');
}

/** Reads the answer. @throws Error with its text when it has another status */
export async function expectStatus(answer: Response, status: number): Promise<void> {
  const text = await answer.text();
  if (answer.status !== status) throw new Error(`${answer.url} answered ${answer.status}: ${text}`);
}
