/**
 * Determines which index a Firestore query needs, and whether firestore.indexes.json has it. The emulator needs no
 * indexes, so a missing one would fail only in production
 * (https://firebase.google.com/docs/firestore/query-data/index-overview).
 */
import type { Query } from '@google-cloud/firestore';

interface IndexedField {
  readonly fieldPath: string;
  readonly order?: 'ASCENDING' | 'DESCENDING';
  readonly arrayConfig?: 'CONTAINS';
}

interface Index {
  readonly collectionGroup: string;
  readonly queryScope: 'COLLECTION' | 'COLLECTION_GROUP';
  readonly fields: readonly IndexedField[];
}

export interface IndexFile {
  readonly indexes: readonly Index[];
  readonly fieldOverrides: readonly {
    readonly collectionGroup: string;
    readonly fieldPath: string;
    readonly indexes: readonly (Omit<IndexedField, 'fieldPath'> & Pick<Index, 'queryScope'>)[];
    readonly ttl?: boolean;
  }[];
}

/** The fields that an index must have to serve a query. */
export interface Need {
  readonly collectionGroup: string;
  readonly queryScope: Index['queryScope'];
  /** Compared for equality or containment. They come first in the index, in any order. */
  readonly leading: readonly IndexedField[];
  /** Sorted by or compared as a range. They come next, in this order. */
  readonly following: readonly Required<Pick<IndexedField, 'fieldPath' | 'order'>>[];
}

interface StructuredQuery {
  readonly from: readonly { readonly collectionId: string; readonly allDescendants?: boolean }[];
  readonly where?: Filter;
  readonly orderBy?: readonly { readonly field: { fieldPath: string }; readonly direction: string }[];
}

interface Filter {
  readonly compositeFilter?: { readonly filters: readonly Filter[] };
  readonly fieldFilter?: { readonly field: { fieldPath: string }; readonly op: string };
  readonly unaryFilter?: { readonly field: { fieldPath: string }; readonly op: string };
}

/** Derived from the request that the client library would send. */
export function needOf(query: Query): Need {
  const { structuredQuery } = (
    query as unknown as { toProto(): { structuredQuery: StructuredQuery } }
  ).toProto();
  const [from] = structuredQuery.from;
  if (from === undefined) throw new Error('a query without a collection');
  const filters = flatten(structuredQuery.where);
  const leading = filters
    .filter(({ op }) => isLeading(op))
    .map(({ fieldPath, op }) => indexed(fieldPath, op));
  const orders = (structuredQuery.orderBy ?? []).map(({ field, direction }) => ({
    fieldPath: field.fieldPath,
    order: direction === 'DESCENDING' ? ('DESCENDING' as const) : ('ASCENDING' as const),
  }));
  const ranges = filters
    .filter(({ op, fieldPath }) => !isLeading(op) && !orders.some((order) => order.fieldPath === fieldPath))
    .map(({ fieldPath }) => ({ fieldPath, order: 'ASCENDING' as const }));
  return {
    collectionGroup: from.collectionId,
    queryScope: from.allDescendants === true ? 'COLLECTION_GROUP' : 'COLLECTION',
    leading: leading.filter(({ fieldPath }) => !orders.some((order) => order.fieldPath === fieldPath)),
    // Every index ends with the document name, in the direction of its last field.
    following: [...orders, ...ranges].filter(({ fieldPath }) => fieldPath !== '__name__'),
  };
}

function flatten(filter: Filter | undefined | null): { fieldPath: string; op: string }[] {
  if (filter?.compositeFilter) return filter.compositeFilter.filters.flatMap(flatten);
  const leaf = filter?.fieldFilter ?? filter?.unaryFilter;
  return leaf ? [{ fieldPath: leaf.field.fieldPath, op: leaf.op }] : [];
}

function isLeading(op: string): boolean {
  return ['EQUAL', 'IN', 'IS_NULL', 'IS_NAN', 'ARRAY_CONTAINS', 'ARRAY_CONTAINS_ANY'].includes(op);
}

function indexed(fieldPath: string, op: string): IndexedField {
  return op.startsWith('ARRAY_') ? { fieldPath, arrayConfig: 'CONTAINS' } : { fieldPath, order: 'ASCENDING' };
}

/** The reason why the query would fail in production; undefined when it has an index. */
export function missingIndex(need: Need, file: IndexFile): string | undefined {
  const { collectionGroup, leading, following } = need;
  if (leading.length === 0 && following.length === 0) return undefined;
  // Single-field indexes serve equalities alone (by merging) and one sort or range alone.
  if (following.length === 0 || (leading.length === 0 && following.length === 1)) {
    const exempt = [...leading, ...following].find((field) => !hasSingleFieldIndex(field, need, file));
    return exempt === undefined
      ? undefined
      : `${collectionGroup}: ${exempt.fieldPath} has no single-field index`;
  }
  if (file.indexes.some((index) => serves(index, need))) return undefined;
  const fields = [...leading, ...following].map((field) => `${field.fieldPath} ${field.order ?? 'CONTAINS'}`);
  return `${collectionGroup}: no composite index for ${fields.join(', ')}`;
}

function hasSingleFieldIndex(field: IndexedField, need: Need, file: IndexFile): boolean {
  const override = overrideOf(need.collectionGroup, field.fieldPath, file);
  // Firestore creates these for every field automatically, for queries of one collection.
  if (override === undefined) return need.queryScope === 'COLLECTION';
  return override.indexes.some(
    (index) =>
      index.queryScope === need.queryScope &&
      (field.arrayConfig === undefined) === (index.arrayConfig === undefined),
  );
}

/** A field's own setting, else that of all fields of its collection (`*`); undefined: Firestore's own. */
export function overrideOf(
  collectionGroup: string,
  fieldPath: string,
  { fieldOverrides }: IndexFile,
): IndexFile['fieldOverrides'][number] | undefined {
  const overrides = fieldOverrides.filter((one) => one.collectionGroup === collectionGroup);
  return (
    overrides.find((one) => one.fieldPath === fieldPath) ?? overrides.find((one) => one.fieldPath === '*')
  );
}

export function serves(index: Index, need: Need): boolean {
  if (index.collectionGroup !== need.collectionGroup || index.queryScope !== need.queryScope) return false;
  if (index.fields.length !== need.leading.length + need.following.length) return false;
  const head = index.fields.slice(0, need.leading.length);
  const tail = index.fields.slice(need.leading.length);
  const leads = need.leading.every((field) =>
    head.some((one) => one.fieldPath === field.fieldPath && one.arrayConfig === field.arrayConfig),
  );
  const follows = (reversed: boolean) =>
    need.following.every((field, at) => {
      const one = tail[at];
      return one?.fieldPath === field.fieldPath && (one.order === field.order) !== reversed;
    });
  return leads && (follows(false) || follows(true));
}
