/** The direction of dependencies is a lint rule; these are the planted faults that show it bites. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';

const root = join(import.meta.dirname, '..');

async function lint(folder: string, source: string): Promise<string> {
  const dir = await mkdtemp(join(root, folder, 'planted-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, 'fault.ts');
  await writeFile(file, source);
  const oxlint = join(root, 'node_modules/.bin/oxlint');
  const { stdout } = await promisify(execFile)(oxlint, [file], { cwd: root }).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}

describe('the layers', () => {
  it.each([
    ['shared/platform', "import { fold } from '../../patient/search.ts';"],
    ['shared/patient', "import { inTransaction } from '../../store/firestore.ts';"],
    ['shared/patient', "import { readFileSync } from 'node:fs';"],
    ['shared/events', "import { inTransaction } from '../../store/firestore.ts';"],
    ['shared/store', "import { importObject } from '../../registration/import-object.ts';"],
    ['shared/store', "import { variableNames } from '../../../functions/import-registration/config.ts';"],
    ['shared/kafka', "import { inTransaction } from '../../store/firestore.ts';"],
    ['shared/registration', "import { kafkaClient } from '../../kafka/kafkajs.ts';"],
    ['functions/patients-api', "import { Kafka } from 'kafkajs';"],
    ['shared/kafka', "import { Kafka } from 'kafkajs';"],
  ])('in %s nobody may write %s', async (folder, source) => {
    expect(await lint(folder, `${source}\n`)).toContain('no-restricted-imports');
  });

  it('let functions use the stores', async () => {
    const source = "export { inTransaction } from '../../../shared/store/firestore.ts';\n";
    expect(await lint('functions/import-registration', source)).not.toContain('no-restricted-imports');
  });
});
