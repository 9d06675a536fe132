/** What the pages and the infrastructure code state, for tests that compare it with the code. */
import { readdir, readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { parseSources, readSources, type Body } from '../../infra/checks/hcl.ts';

const root = new URL('../../', import.meta.url);

/** The text of a file of the repository. */
export const read = (path: string): Promise<string> => readFile(new URL(path, root), 'utf8');

/** The names of the files in a folder of the repository, and below it. */
export const filesIn = (folder: string): Promise<string[]> =>
  readdir(new URL(folder, root), { recursive: true });

/** The Terraform code. */
export const terraform = await parseSources(await readSources());

/** Every page, by path. */
export const pages = new Map<string, string>();
for (const file of await filesIn('docs')) {
  if (file.endsWith('.md')) pages.set(`docs/${file}`, await read(`docs/${file}`));
}
for (const file of ['README.md', 'CONTRIBUTING.md']) pages.set(file, await read(file));

/** What the first group of a pattern finds in some pages; at least one, or the test would compare nothing. */
export function said(pattern: RegExp, where: RegExp = /./): string[] {
  const found = [...pages]
    .filter(([path]) => where.test(path))
    .flatMap(([, text]) =>
      [...text.matchAll(new RegExp(pattern, `${pattern.flags}g`))].map(([, group = '']) => group),
    );
  expect(found, `${pattern} in ${where}`).not.toEqual([]);
  return [...new Set(found.map((number) => number.replaceAll(/[,.](?=\d{3})/g, '')))];
}

/** @throws Error when there is no such resource */
export function resource(type: string, name: string): Body {
  const found = terraform.resources.find((one) => one.type === type && one.name === name);
  if (found === undefined) throw new Error(`infra/ has no ${type}.${name}`);
  return found.body;
}
