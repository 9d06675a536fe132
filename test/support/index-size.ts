/**
 * Computes the number of index entries of a document in a top-level collection, and the bytes of both, by Firestore's rules
 * (https://firebase.google.com/docs/firestore/storage-size).
 */
import { FieldValue, Timestamp } from '@google-cloud/firestore';
import { overrideOf, type IndexFile } from '../../infra/checks/indexes.ts';

export interface StoredSize {
  readonly documentBytes: number;
  readonly singleField: number;
  readonly composite: number;
  readonly indexBytes: number;
}

type Data = Readonly<Record<string, unknown>>;

const OVERHEAD = 32;
/** The name of the database root, the parent of every document here. */
const ROOT = 16;

export function storedSize(collection: string, id: string, data: Data, file: IndexFile): StoredSize {
  const name = ROOT + bytes(collection) + bytes(id);
  const leaves = leavesOf(data);
  const entries = leaves.flatMap(([path, value]) => {
    const modes = overrideOf(collection, path, file)?.indexes ?? [
      { order: 'ASCENDING' },
      { order: 'DESCENDING' },
      { arrayConfig: 'CONTAINS' },
    ];
    return modes
      .flatMap((mode) => indexed(value, 'arrayConfig' in mode))
      .map((one) => bytes(path) + sizeOf(one));
  });
  const composites = file.indexes
    .filter(({ collectionGroup }) => collectionGroup === collection)
    .flatMap(({ fields }) =>
      fields.reduce<number[]>(
        (sizes, { fieldPath, arrayConfig }) => {
          const leaf = leaves.find(([path]) => path === fieldPath);
          const values = leaf === undefined ? [] : indexed(leaf[1], arrayConfig !== undefined);
          return sizes.flatMap((size) => values.map((value) => size + sizeOf(value)));
        },
        [0],
      ),
    );
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
  return {
    documentBytes: name + sizeOf(data) + OVERHEAD,
    singleField: entries.length,
    composite: composites.length,
    indexBytes: sum([...entries, ...composites].map((size) => name + ROOT + size + OVERHEAD)),
  };
}

/** The values of a field. An index has one entry for each. */
function indexed(value: unknown, isContains: boolean): unknown[] {
  if (Array.isArray(value)) return isContains ? value : [];
  return isContains ? [] : [value];
}

/** Every field that Firestore indexes automatically. Maps are indexed by their fields. */
function leavesOf(data: Data, prefix = ''): (readonly [string, unknown])[] {
  return Object.entries(data).flatMap(([key, value]) =>
    isMap(value) ? leavesOf(value, `${prefix}${key}.`) : [[prefix + key, value] as const],
  );
}

function isMap(value: unknown): value is Data {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && !(value instanceof Timestamp) && !(value instanceof FieldValue);
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return bytes(value);
  if (value === null || typeof value === 'boolean') return 1;
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + sizeOf(one), 0);
  if (isMap(value))
    return Object.entries(value).reduce((sum, [key, one]) => sum + bytes(key) + sizeOf(one), 0);
  return 8;
}

function bytes(text: string): number {
  return Buffer.byteLength(text) + 1;
}
