/** `npm run drop -- FILE…`: uploads registration files to the running stack's bucket. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command } from 'commander';
import { showProgress } from '../../shared/platform/progress.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { readWhole, uploadDropped } from './dropped-file.ts';

/** npm runs this in the project's folder. */
const STACK = '.local/stack.json';

const command = new Command('npm run drop --')
  .description('Uploads registration files to incoming/ in the bucket of the running stack.')
  .argument('<file...>', 'files to upload')
  .addHelpText('after', '\nExample:\n  npm run drop -- test/fixtures/registration-valid.json')
  .action(async (files: string[]) => {
    const bucket = await bucketOfStack();
    let done = 0;
    try {
      await showProgress(process.stderr, { what: 'uploading', total: files.length }, async (progress) => {
        for (const file of files) {
          stop.signal.throwIfAborted();
          await uploadDropped(bucket, await readWhole(file), basename(file));
          progress.to((done += 1));
        }
      });
    } finally {
      console.log(`uploaded ${done === 1 ? files[0] : `${done} of ${files.length} files`} to incoming/`);
    }
  });

/** Ends after the current file. The terminal and npm both send a signal, so a second one is expected. */
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () =>
    stop.abort(
      new Error('Interrupted. Run the same command again: a file that is dropped twice registers once.'),
    ),
  );
}

async function bucketOfStack() {
  const stack = await readFile(STACK, 'utf8').catch(() => {
    throw new Error('The local stack is not running: start it with `npm start`, then drop the file again.');
  });
  const { project, bucket, storage } = JSON.parse(stack) as Record<string, string>;
  return connectBucket({
    GOOGLE_CLOUD_PROJECT: String(project),
    GCS_IMPORT_BUCKET: String(bucket),
    STORAGE_EMULATOR_HOST: storage,
  });
}

try {
  await command.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = stop.signal.aborted ? 130 : 1;
}
