/** The patient fields that a client may write as a text, from the field table: tests of hostile texts try each of them. */
import { z } from 'zod';
import { fields } from '../../shared/patient/fields.ts';

interface Schema {
  readonly type?: unknown;
  readonly anyOf?: readonly Schema[];
}

const isText = ({ type, anyOf = [] }: Schema): boolean => type === 'string' || anyOf.some(isText);

const rows = Object.entries(fields).filter(
  ([, { writer, written }]) =>
    writer === 'client' &&
    isText(z.toJSONSchema(written.inChange, { io: 'input', unrepresentable: 'any' }) as Schema),
);

export const textFields = rows.map(([name]) => name);
export const textFieldsOfFiles = rows.filter(([, { inFile }]) => inFile !== 'never').map(([name]) => name);
