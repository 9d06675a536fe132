import { readdir, readFile } from 'node:fs/promises';
import { Firestore, type Query } from '@google-cloud/firestore';
import { describe, expect, it } from 'vitest';
import { aMail } from '../../test/support/relay-world.ts';
import { AUTUMN } from '../../test/support/builders.ts';
import { causedByErasure } from '../../shared/patient/consequences.ts';
import { patientId } from '../../shared/patient/schema.ts';
import { expiringCollections } from '../../shared/store/expiry.ts';
import type { Writer } from '../../shared/store/firestore.ts';
import { addConsequences, addMail } from '../../shared/store/outbox.ts';
import { missingIndex, needOf, overrideOf, serves, type IndexFile } from './indexes.ts';
import { queries } from './queries.ts';

const file = JSON.parse(
  await readFile(new URL('../firestore.indexes.json', import.meta.url), 'utf8'),
) as IndexFile;

// The queries are built but not sent.
const db = new Firestore({ projectId: 'index-check' });
const built = Object.entries(queries(db)).flatMap(([builder, variants]) =>
  variants.map((query, at): [string, Query] => [
    variants.length > 1 ? `${builder} #${at + 1}` : builder,
    query,
  ]),
);

const store = new URL('../../shared/store/', import.meta.url);
const sources = await Promise.all(
  (await readdir(store, { recursive: true }))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map(async (name) => [name, await readFile(new URL(name, store), 'utf8')] as const),
);

describe('Firestore indexes', () => {
  it.each(built)('serve %s', (_, query) => {
    expect(missingIndex(needOf(query), file)).toBeUndefined();
  });

  it('each serve at least one query', () => {
    const needs = built.map(([, query]) => needOf(query));
    expect(file.indexes.filter((index) => !needs.some((need) => serves(index, need)))).toEqual([]);
  });

  it('are checked for every query builder of shared/store', () => {
    const builders = sources.flatMap(([, text]) =>
      [...text.matchAll(/^export (?:async )?function (\w+Query)\(/gm)].map(([, name = '']) => name),
    );
    expect(builders.sort()).toEqual(Object.keys(queries(db)).sort());
  });

  it('are checked for every query, because no function both builds and sends one', () => {
    expect(
      sources.flatMap(([file, text]) => hiddenQueriesIn(text).map((name) => `${file}: ${name}`)),
    ).toEqual([]);
    expect(hiddenQueriesIn("function readAll() {\n  return c.where('a', '==', 1).get();\n}\n")).toEqual([
      'readAll',
    ]);
  });

  it('of single fields exist in the outbox only where its queries need them, because entries live for milliseconds', () => {
    const fields = new Set<string>();
    const writer = {
      create: (_: unknown, data: object) => Object.keys(data).forEach((name) => fields.add(name)),
      delete: () => writer,
    } as unknown as Writer;
    addConsequences(db, writer, patientId.parse(1), causedByErasure(patientId.parse(1)), 0, AUTUMN);
    addMail(db, writer, aMail('key'), null);
    const indexed = [...fields].filter((name) => overrideOf('outbox', name, file)?.indexes.length !== 0);
    expect(indexed.sort()).toEqual(['kind', 'patient_id']);
  });

  it('come with a TTL policy for exactly the collections whose documents expire', () => {
    const policies = file.fieldOverrides.filter(({ ttl }) => ttl === true);
    const expiring = expiringCollections(db).map(({ id }) => id);
    expect(policies.map(({ collectionGroup }) => collectionGroup).sort()).toEqual(expiring.sort());
    expect(policies.every(({ fieldPath }) => fieldPath === 'expires_at')).toBe(true);
  });

  it('turn red when one is missing', () => {
    const [name, query] = built.find(([name]) => name.startsWith('eventsQuery'))!;
    const without = { ...file, indexes: file.indexes.filter((index) => !serves(index, needOf(query))) };
    expect(missingIndex(needOf(query), without), name).toBe(
      'outbox: no composite index for shard ASCENDING, kind ASCENDING, created_at ASCENDING, sequence ASCENDING',
    );
  });

  it('turn red when the direction of the order is wrong', () => {
    const query = db.collection('communication').orderBy('occurred_at', 'desc').orderBy('event_id', 'asc');
    expect(missingIndex(needOf(query), file)).toContain('no composite index for');
  });

  it('turn red for a sort by a field that is exempt from indexing', () => {
    const query = db.collection('outbox').orderBy('created_at');
    expect(missingIndex(needOf(query), file)).toBe('outbox: created_at has no single-field index');
  });
});

/** Names of the functions that build and send a query in one, so that this check cannot see the query. */
function hiddenQueriesIn(text: string): string[] {
  return [...text.matchAll(/^(?:export )?(?:async )?function (\w+)[^]*?^}/gm)]
    .filter(([body]) => /\.(where|orderBy)\(/.test(body) && /\.(get|stream|onSnapshot|count)\(/.test(body))
    .map(([, name = '']) => name);
}
