/**
 * Models a Firestore with a million patients. It serves the queries of patient-search.ts and patient-list.ts over gRPC, so
 * the service's own code and client run against it. It counts what Firestore would bill
 * (https://cloud.google.com/firestore/pricing): one read for each returned document, one for an empty result, and one for
 * each 1,000 index entries that a count passes. It stores no patients: it computes each from the seed when a query needs it.
 */
import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { PATIENTENSTATUS } from '../../shared/patient/vocabulary.ts';
import { fold } from '../../shared/patient/search.ts';
import { personAt } from '../load/population.ts';
import { encoded, split, wire, type Filter, type StructuredQuery, type Value } from './firestore-wire.ts';

export interface SearchModel {
  /** `host:port`, for FIRESTORE_EMULATOR_HOST. */
  readonly address: string;
  /** Billed reads so far, and the requests that caused them. */
  readonly bill: { reads: number; requests: number };
  close(): Promise<void>;
}

/** The parsed parameters of a list query. */
interface Asked {
  readonly status: readonly string[];
  readonly gram: string | undefined;
  /** The first and the last patient, counted from the newest. */
  readonly from: number;
  readonly to: number;
  readonly limit: number;
}

const OLDEST = Date.parse('2020-01-01T00:00:00Z');
const RECEIVED_AT = { seconds: 0, nanos: 0 };

export async function startSearchModel(patients: number, seed: number): Promise<SearchModel> {
  const bill = { reads: 0, requests: 0 };
  const folded = new Map<string, string>();
  const texts = Array.from<string | undefined>({ length: patients });

  const foldedOnce = (text: string) => {
    const known = folded.get(text) ?? fold(text);
    folded.set(text, known);
    return known;
  };
  const textOf = (at: number) => {
    const known = texts[at];
    if (known !== undefined) return known;
    const { vorname, nachname, email } = personAt(seed, at);
    return (texts[at] = `${foldedOnce(vorname)} ${foldedOnce(nachname)} ${email ?? ''}`);
  };
  const idOf = (at: number) => patients - at;
  // Pairs have the same time, so that the id decides their order.
  const createdAt = (at: number) => new Date(OLDEST + (idOf(at) >> 1) * 1000).toISOString();
  const statusOf = (at: number) => PATIENTENSTATUS[Math.imul(at, 7) % PATIENTENSTATUS.length]!;

  function* found({ status, gram, from, to, limit }: Asked): Generator<number> {
    let count = 0;
    for (let at = from; at <= to && count < limit; at += 1) {
      if (!status.includes(statusOf(at)) || (gram !== undefined && !textOf(at).includes(gram))) continue;
      count += 1;
      yield at;
    }
  }

  function asked({ where, startAt, limit, offset }: StructuredQuery): Asked {
    if (offset) throw new Error('the model knows no offset');
    const filters = flatten(where);
    const of = (path: string) => filters.find(({ field }) => field.fieldPath === path)?.value;
    const status = of('status')!;
    const since = of('created_at')?.stringValue;
    return {
      status: (status.arrayValue?.values ?? [status]).map(({ stringValue }) => stringValue!),
      gram: of('_meta.grams')?.stringValue,
      from: startAt ? patients - Number(startAt.values[1]!.integerValue) + 1 : 0,
      to: patients - (since === undefined ? 1 : Math.max(1, ((Date.parse(since) - OLDEST) / 1000) * 2)),
      limit: limit?.value ?? Number.POSITIVE_INFINITY,
    };
  }

  const document = (at: number) => {
    const { vorname, nachname, email } = personAt(seed, at);
    const text = (value: string): Value => ({ stringValue: value });
    return {
      name: `projects/model/databases/(default)/documents/patients/${idOf(at)}`,
      createTime: RECEIVED_AT,
      updateTime: RECEIVED_AT,
      fields: {
        id: { integerValue: idOf(at) },
        vorname: text(vorname),
        nachname: text(nachname),
        ...(email === null ? {} : { email: text(email) }),
        status: text(statusOf(at)),
        created_at: text(createdAt(at)),
        _meta: { mapValue: { fields: { sequence: { integerValue: 1 } } } },
      },
    };
  };

  function answer(method: string, request: Buffer): Buffer[] {
    bill.requests += 1;
    if (method === 'RunQuery') {
      const { structuredQuery } = wire.RunQueryRequest.decode(request);
      const documents = [...found(asked(structuredQuery))].map(document);
      bill.reads += Math.max(1, documents.length);
      return [
        ...documents.map((one) => ({ document: one, readTime: RECEIVED_AT })),
        { readTime: RECEIVED_AT },
      ].map((one) => encoded(wire.RunQueryResponse, one));
    }
    if (method === 'RunAggregationQuery') {
      const { structuredAggregationQuery: query } = wire.RunAggregationQueryRequest.decode(request);
      let count = 0;
      for (const _ of found(asked(query.structuredQuery))) count += 1;
      bill.reads += Math.max(1, Math.ceil(count / 1000));
      const aggregateFields = { [query.aggregations[0]!.alias]: { integerValue: count } };
      return [
        encoded(wire.RunAggregationQueryResponse, { result: { aggregateFields }, readTime: RECEIVED_AT }),
      ];
    }
    throw new Error(`the model does not answer ${method}`);
  }

  async function respond(stream: ServerHttp2Stream, method: string): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.concat(answer(method, split(Buffer.concat(chunks)).messages[0]!)));
  }

  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    void respond(stream, String(headers[':path']).split('/').at(-1)!);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    bill,
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function flatten(filter: Filter | null | undefined): NonNullable<Filter['fieldFilter']>[] {
  if (filter?.compositeFilter) return filter.compositeFilter.filters.flatMap(flatten);
  return filter?.fieldFilter ? [filter.fieldFilter] : [];
}
