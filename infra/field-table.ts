/** The table of patient fields in docs/domain.md, made from the rows of shared/patient/fields.ts. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { FIRST_VERSION, type FieldRow } from '../shared/patient/field-row.ts';
import { fields } from '../shared/patient/fields.ts';
import { typeInWords } from './schema-words.ts';

/** The table between the markers `<!-- fields -->` and `<!-- /fields -->`. */
export const fieldTablePage = new URL('../docs/domain.md', import.meta.url);
const BLOCK = /(<!-- fields -->\n)[^]*(\n<!-- \/fields -->)/;

/** The page with the current table. @throws Error when the page lacks the table's markers */
export async function pageWithFieldTable(): Promise<string> {
  const page = await readFile(fieldTablePage, 'utf8');
  if (!BLOCK.test(page)) throw new Error('docs/domain.md has no markers of the field table');
  return page.replace(BLOCK, (_, open: string, close: string) => open + fieldTable() + close);
}

function fieldTable(): string {
  return [
    '| Field | Type | Default | Written by | In a file | Meaning |',
    '|---|---|---|---|---|---|',
    ...Object.entries<FieldRow>(fields).map(([name, row]) => `| ${cellsOf(name, row).join(' | ')} |`),
  ].join('\n');
}

function cellsOf(name: string, { schema, initially, writer, inFile, since, meaning }: FieldRow): string[] {
  return [
    `\`${name}\``,
    typeInWords(z.toJSONSchema(schema, { io: 'input' })),
    typeof initially === 'string'
      ? initially
      : `\`${JSON.stringify(initially.default).replaceAll('"', '')}\``,
    writer,
    { may: 'yes', must: 'required', never: '' }[inFile],
    since === FIRST_VERSION ? meaning : `${meaning} (since ${since})`,
  ];
}
