/** The patient fields in plain words, for tooltips and beside a broken rule: the table of docs/domain.md. */
import { z } from 'zod';
import type { FieldRow } from '../../../shared/patient/field-row.ts';
import { fields } from '../../../shared/patient/fields.ts';
import { typeInWords } from '../../schema-words.ts';
import type { FieldText } from './messages.ts';

const texts: readonly FieldText[] = Object.entries<FieldRow>(fields).map(([name, { schema, meaning }]) => ({
  name,
  meaning: plain(meaning),
  type: plain(typeInWords(z.toJSONSchema(schema, { io: 'input' }))),
}));

export function fieldTexts(): readonly FieldText[] {
  return texts;
}

/** The rule of the field that a JSON pointer names, at any depth of the document. */
export function ruleOf(pointer: string): string | null {
  const segments = pointer.split('/');
  const field = texts.find(({ name }) => segments.includes(name));
  return field === undefined ? null : `${field.meaning}. ${field.type}`;
}

/** Replaces Markdown's code and links by the words they show. */
function plain(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
}
