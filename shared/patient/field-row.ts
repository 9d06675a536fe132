/** The type of a row of the field table (fields.ts), and constructors for the four kinds of rows. */
import type { z } from 'zod';

/** Whether a registration file may hold the field, must hold it, or is refused with it. */
type InFile = 'may' | 'must' | 'never';

/** The value of a new patient: given by the client, a new id, the time of the registration, or a default. */
type Initially = 'required' | 'allocated' | 'now' | { readonly default: unknown };

/** The definition of one field. */
export interface FieldRow<
  Stored extends z.ZodType = z.ZodType,
  Written extends z.ZodType = z.ZodType,
  Writer extends 'client' | 'service' = 'client' | 'service',
  I extends Initially = Initially,
  F extends InFile = InFile,
> {
  /** The field as it is stored, answered and published. */
  readonly schema: Stored;
  /** The field as a client writes it, in a change and in a new patient. */
  readonly written: { readonly inChange: Written; readonly inNew: Written };
  /** `service`: the field is refused in every body and file. */
  readonly writer: Writer;
  /** A default also applies to patients whose document is older than the field. */
  readonly initially: I;
  readonly inFile: F;
  /** True for the date of a past event: it must not be after today in Berlin. */
  readonly isPast: boolean;
  /** The day on which the service got the field, YYYY-MM-DD. */
  readonly since: string;
  /** In English; links lead to docs/domain.md. */
  readonly meaning: string;
}

/** The day of the service's first version; no patient is older. */
export const FIRST_VERSION = '2026-11-24';

interface Notes {
  readonly meaning: string;
  readonly isPast?: boolean;
}

/** Options of a client's field that is not required. */
interface OptionalNotes extends Notes {
  /** `may` unless given. */
  readonly inFile?: InFile;
  /** {@link FIRST_VERSION} unless given. */
  readonly since?: string;
}

type InFileOf<N> = N extends { readonly inFile: infer F extends InFile } ? F : 'may';

/**
 * Must be given for a new patient. A field of this kind cannot be added later: patients who are stored already would lack
 * it, and there is no default for them.
 */
export function required<S extends z.ZodType>(
  schema: S,
  notes: Notes,
): FieldRow<S, S, 'client', 'required', 'may'> {
  return { ...base(schema, notes), writer: 'client', initially: 'required', inFile: 'may' };
}

/** Null until a client writes it; null or a blank text clears it. */
export function nullable<S extends z.ZodType, const N extends OptionalNotes>(
  schema: S,
  notes: N,
): FieldRow<z.ZodNullable<S>, z.ZodNullable<S>, 'client', { readonly default: null }, InFileOf<N>> {
  return {
    ...base(schema.nullable(), notes),
    writer: 'client',
    initially: { default: null },
    inFile: (notes.inFile ?? 'may') as InFileOf<N>,
  };
}

/** Starts with a default that a client may change. @param written the schema for clients, when it differs */
export function withDefault<
  S extends z.ZodType,
  const N extends OptionalNotes & { readonly default: z.output<S> },
  W extends z.ZodType = S,
>(
  schema: S,
  notes: N,
  written?: { readonly inChange: W; readonly inNew: W },
): FieldRow<S, W, 'client', { readonly default: z.output<S> }, InFileOf<N>> {
  const row = base(schema, notes);
  const described = written && {
    inChange: written.inChange.describe(plain(notes.meaning)),
    inNew: written.inNew.describe(plain(notes.meaning)),
  };
  return {
    ...row,
    written: described ?? (row.written as unknown as { inChange: W; inNew: W }),
    writer: 'client',
    initially: { default: notes.default },
    inFile: (notes.inFile ?? 'may') as InFileOf<N>,
  };
}

/** Written by the service alone. */
export function byService<
  S extends z.ZodType,
  const N extends Notes & {
    readonly initially: 'allocated' | 'now' | { readonly default: z.output<S> };
    readonly since?: string;
  },
>(schema: S, notes: N): FieldRow<S, S, 'service', N['initially'], 'never'> {
  return { ...base(schema, notes), writer: 'service', initially: notes.initially, inFile: 'never' };
}

function base<S extends z.ZodType>(schema: S, notes: Notes & { readonly since?: string }) {
  const { meaning, isPast = false, since = FIRST_VERSION } = notes;
  const described = schema.describe(plain(meaning));
  return { schema: described, written: { inChange: described, inNew: described }, isPast, since, meaning };
}

/** The text of Markdown links. */
function plain(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
}
