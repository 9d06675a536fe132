/** The table of patient fields in docs/domain.md, made from the rows of shared/patient/fields.ts. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { FIRST_VERSION, type FieldRow } from '../shared/patient/field-row.ts';
import { fields } from '../shared/patient/fields.ts';

/** Where the table stands, between the markers `<!-- fields -->` and `<!-- /fields -->`. */
export const fieldTablePage = new URL('../docs/domain.md', import.meta.url);
const BLOCK = /(<!-- fields -->\n)[^]*(\n<!-- \/fields -->)/;

/** The page with the table of today. @throws Error when the page has lost the table's markers */
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
    typeOf(z.toJSONSchema(schema, { io: 'input' })),
    typeof initially === 'string'
      ? initially
      : `\`${JSON.stringify(initially.default).replaceAll('"', '')}\``,
    writer,
    { may: 'yes', must: 'required', never: '' }[inFile],
    since === FIRST_VERSION ? meaning : `${meaning} (since ${since})`,
  ];
}

/** A JSON Schema in a few words. */
function typeOf(schema: z.core.JSONSchema.JSONSchema): string {
  const branches = schema.anyOf?.filter(isSchema) ?? [];
  const nullable = branches.find(({ type }) => type !== 'null');
  if (nullable !== undefined) return `${typeOf(nullable)}, or null`;
  if (Array.isArray(schema.type)) return schema.type.join(', or ');
  if (schema.enum !== undefined && schema.enum.length <= 6)
    return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.format === 'date' || schema.format === 'date-time') return schema.format;
  if (schema.type === 'string') return [stringType(schema), lengthOf(schema)].filter(Boolean).join(', ');
  if (schema.type === 'integer') return `integer, ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === 'array') {
    const range = [schema.minItems, schema.maxItems].filter((bound) => bound !== undefined).join(' to ');
    return range === '' ? 'array' : `array of ${range}`;
  }
  if (schema.properties !== undefined) return `object: ${objectType(schema.properties)}`;
  return schema.type ?? '';
}

function stringType({ format, pattern }: z.core.JSONSchema.JSONSchema): string {
  if (format === 'idn-email') return 'e-mail address';
  return pattern === undefined ? 'string' : `\`${pattern}\``;
}

function lengthOf({ minLength, maxLength }: z.core.JSONSchema.JSONSchema): string {
  if (maxLength === undefined) return '';
  return `${minLength === undefined ? 'at most' : `${minLength} to`} ${maxLength} characters`;
}

function objectType(properties: NonNullable<z.core.JSONSchema.JSONSchema['properties']>): string {
  const names = Object.keys(properties).map((name) => `\`${name}\``);
  return names.length > 3 ? `${names[0]} to ${names.at(-1)}` : names.join(', ');
}

function isSchema(branch: unknown): branch is z.core.JSONSchema.JSONSchema {
  return typeof branch === 'object' && branch !== null;
}
