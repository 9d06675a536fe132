/** Describes JSON Schemas in words, for the tables of the docs. */
import type { z } from 'zod';

/** Describes a JSON Schema in a few words. */
export function typeInWords(schema: z.core.JSONSchema.JSONSchema): string {
  const branches = schema.anyOf?.filter(isSchema) ?? [];
  if (branches.length > 0) return branches.map(typeInWords).join(', or ');
  if (Array.isArray(schema.type)) return schema.type.join(', or ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined && schema.enum.length <= 6)
    return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.format === 'date' || schema.format === 'date-time') return schema.format;
  if (schema.format === 'uuid') return 'UUID';
  if (schema.type === 'string') return [stringType(schema), lengthOf(schema)].filter(Boolean).join(', ');
  if (schema.type === 'integer')
    return schema.minimum === Number.MIN_SAFE_INTEGER
      ? 'integer'
      : `integer, ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === 'array') {
    const range = [schema.minItems, schema.maxItems].filter((bound) => bound !== undefined).join(' to ');
    return range === '' ? 'array' : `array of ${range}`;
  }
  const { properties = {} } = schema;
  if (Object.keys(properties).length > 0) return `object: ${objectType(properties)}`;
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
