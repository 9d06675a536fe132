/** `npm run drop -- FILE…`: uploads registration files to the running stack's bucket. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { readWhole, uploadDropped } from './drop-folder.ts';

const STACK = join(import.meta.dirname, '../../.local/stack.json');

const command = new Command('npm run drop --')
  .description('Uploads registration files to incoming/ in the bucket of the running stack.')
  .argument('<file...>', 'files to upload')
  .addHelpText('after', '\nExample:\n  npm run drop -- test/fixtures/registration-valid.json')
  .action(async (files: string[]) => {
    const bucket = await bucketOfStack();
    for (const file of files) {
      await uploadDropped(bucket, await readWhole(file), basename(file));
      console.log(`uploaded ${file} to incoming/`);
    }
  });

async function bucketOfStack() {
  const stack = await readFile(STACK, 'utf8').catch(() => {
    throw new Error('The local stack does not run: start it with `npm start`, then drop the file again.');
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
  process.exitCode = 1;
}
