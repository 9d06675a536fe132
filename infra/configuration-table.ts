/**
 * The table of docs/configuration.md, made from the variables themselves: `npm run configuration` writes it between the
 * markers, and a test fails when it is out of date.
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { z } from 'zod';
import { variables } from '../shared/platform/variables.ts';

const PAGE = new URL('../docs/configuration.md', import.meta.url);
const BLOCK = /(<!-- configuration -->\n)[^]*(\n<!-- \/configuration -->)/;

export function configurationTable(): string {
  const rows = Object.entries(variables).map(([name, rule]: [string, z.ZodType]) => {
    const unset = rule.safeParse(undefined);
    const byDefault = unset.success ? shown(unset.data as Parameters<typeof shown>[0]) : 'required';
    return `| \`${name}\` | ${byDefault} | ${rule.description ?? ''} |`;
  });
  return ['| Variable | Default | Meaning |', '|---|---|---|', ...rows].join('\n');
}

/** The committed page, and the page with the current table. */
export async function updatedPage(): Promise<{ readonly now: string; readonly updated: string }> {
  const now = await readFile(PAGE, 'utf8');
  return {
    now,
    updated: now.replace(BLOCK, (_, open: string, close: string) => open + configurationTable() + close),
  };
}

function shown(value: string | number | boolean | string[] | undefined): string {
  const text = String(value ?? '');
  return text === '' ? '' : `\`${text}\``;
}

if (import.meta.main) await writeFile(PAGE, (await updatedPage()).updated);
