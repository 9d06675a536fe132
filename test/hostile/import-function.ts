/** Runs the import function as its own process, with variables that a running stack does not have. */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { deployables } from '../../infra/bundle.ts';
import { environmentOf } from '../../infra/local/environment.ts';
import type { TestStack } from '../support/stack.ts';

/** Runs the bundle of a stack's import function until it ends. @throws Error with its output when it ends */
export async function runImportFunction(stack: TestStack, variables: Record<string, string>): Promise<void> {
  const engines = { firestore: 'unused', storage: 'http://unused', kafka: stack.describe().kafka };
  const env = {
    ...environmentOf(stack.settings, engines),
    FUNCTION_TARGET: deployables['import-registration'],
    PORT: '0',
    ...variables,
  };
  const source = join(dirname(stack.dropFolder), 'dist/import-registration');
  await promisify(execFile)(process.execPath, [join(source, 'main.js'), `--source=${source}`], {
    env,
    timeout: 60_000,
  });
}
