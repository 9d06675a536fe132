import { execFile } from 'node:child_process';
import { glob, readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

const at = (path: string) => new URL(path, import.meta.url).href;

/** Ends when `fault` has ended the process. A listener prints the error, as that of functions-framework does. */
function crash(fault: string): Promise<{ code: unknown; output: string }> {
  const script = `
    import { createLog } from '${at('log.ts')}';
    import { endOnUncaughtErrors } from '${at('crash.ts')}';
    for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, (error) => console.error(error));
    endOnUncaughtErrors(createLog({ service: 'worker', project: 'test' }));
    for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, (error) => console.error(error));
    class Refused extends Error { name = 'Refused'; request = { vorname: 'Lena' }; }
    ${fault}
    setTimeout(() => {}, 60_000);`;
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '--eval', script], (error, stdout, stderr) =>
      resolve({ code: error?.code, output: stdout + stderr }),
    );
  });
}

it.each([
  ['an exception', "setTimeout(() => { throw new Refused('Lena Beispiel'); });"],
  ['a rejection', "void Promise.reject(new Refused('Lena Beispiel'));"],
  ['a rejection with a text', "void Promise.reject('Lena Beispiel');"],
])('%s that nobody caught ends the process with one line that quotes nothing of it', async (_, fault) => {
  const { code, output } = await crash(fault);
  expect(code).toBe(1);
  expect(output).not.toContain('Lena');
  const lines = output.trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { severity: string }).severity)).toEqual(['ERROR']);
});

it('every deployable that serves ends like this', async () => {
  const without: string[] = [];
  for await (const path of glob('functions/*/index.ts')) {
    if (!(await readFile(path, 'utf8')).includes('endOnUncaughtErrors(log)')) without.push(path);
  }
  // The operators' command ends with its own sentence for each error.
  expect(without).toEqual(['functions/ops/index.ts']);
});
