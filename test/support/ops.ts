/** Runs the operators' command in the test's process, or as a separate process on a local stack. */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import type { Environment } from '../../functions/ops/context.ts';
import { runOps } from '../../functions/ops/program.ts';
import { testLog } from './kafka.ts';
import type { TestStack } from './stack.ts';

/**
 * @param commandLine is split at spaces; with `--json`, `json` is the parsed output
 * @param signal abort it to interrupt the command
 */
export async function runOpsHere(environment: Environment, commandLine: string, signal?: AbortSignal) {
  const written = { out: '', err: '' };
  const stream = (name: keyof typeof written) =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += String(chunk);
        done();
      },
    });
  const streams = { out: stream('out'), err: stream('err') };
  const lines: string[] = [];
  const code = await runOps(commandLine.split(' '), environment, streams, {
    log: testLog(lines),
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    code,
    ...written,
    json: () => JSON.parse(written.out),
    /** The entries that it wrote to the audit trail. */
    audited: lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'audit'),
  };
}

/**
 * Runs the bundle of the stack, as in the image of ops-read and ops-write.
 * @returns its standard output. Rejects with `code` and `stdout` when the command fails.
 */
export function opsOn(stack: TestStack, overrides: Environment = {}): (...args: string[]) => Promise<string> {
  return async (...args) => {
    const { project, bucket, firestore, storage, kafka } = stack.describe();
    const env = {
      ...process.env,
      GOOGLE_CLOUD_PROJECT: project,
      GCS_IMPORT_BUCKET: bucket,
      FIRESTORE_EMULATOR_HOST: firestore.replace('http://', ''),
      STORAGE_EMULATOR_HOST: storage,
      KAFKA_BOOTSTRAP_SERVERS: kafka,
      METADATA_SERVER_DETECTION: 'none',
      ...overrides,
    };
    const script = join(dirname(stack.dropFolder), 'dist', 'ops', 'index.js');
    const options = { env, maxBuffer: 64 * 1024 ** 2 };
    return (await promisify(execFile)(process.execPath, [script, ...args], options)).stdout;
  };
}
