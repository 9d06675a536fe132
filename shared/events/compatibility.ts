/**
 * Finds changes of a message schema that would break its readers. New fields and wider rules do not break them, because
 * a reader accepts what it does not know.
 */
import { isDeepStrictEqual } from 'node:util';

interface Schema {
  readonly type?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/**
 * Lists the breaking changes between two JSON Schemas, each with its place: a field that is gone, that is no longer
 * required, that has another type or that allows fewer values.
 * @returns sentences such as `/payload/plz: may be missing`; empty when nothing breaks
 */
export function breakingChanges(before: Schema, after: Schema, at = ''): string[] {
  const place = at === '' ? '/' : at;
  return [
    ...(isDeepStrictEqual(before.type, after.type) ? [] : [`${place}: has another type`]),
    ...(isDeepStrictEqual(before.const, after.const) ? [] : [`${place}: has another fixed value`]),
    ...narrowed(before.enum, after.enum).map((value) => `${place}: no longer allows ${value}`),
    ...(before.required ?? [])
      .filter((name) => after.properties?.[name] !== undefined && !(after.required ?? []).includes(name))
      .map((name) => `${at}/${name}: may be missing`),
    ...Object.entries(before.properties ?? {}).flatMap(([name, schema]) => {
      const next = after.properties?.[name];
      return next === undefined ? [`${at}/${name}: is gone`] : breakingChanges(schema, next, `${at}/${name}`);
    }),
    ...(before.items === undefined ? [] : breakingChanges(before.items, after.items ?? {}, `${at}/*`)),
    ...alternatives(before.anyOf, after.anyOf, at),
  ];
}

function narrowed(before: readonly unknown[] | undefined, after: readonly unknown[] | undefined): string[] {
  if (after === undefined) return [];
  if (before === undefined) return ['every value'];
  return before.filter((value) => !after.includes(value)).map((value) => JSON.stringify(value));
}

/** Compares alternatives by position. Nullable fields always list the value and `null` in the same order. */
function alternatives(
  before: readonly Schema[] | undefined,
  after: readonly Schema[] | undefined,
  at: string,
): string[] {
  if (before === undefined) return after === undefined ? [] : [`${at}: has another type`];
  return before.flatMap((schema, place) => breakingChanges(schema, after?.[place] ?? {}, at));
}
