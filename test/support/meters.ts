/**
 * Meters the usage of a client: proxies in front of the Firestore and Storage emulators that pass everything on and count what
 * Google would bill (https://cloud.google.com/firestore/pricing, https://cloud.google.com/storage/pricing#operations).
 */
import { once } from 'node:events';
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from 'node:http';
import {
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { split, wire } from './firestore-wire.ts';

/** The usage so far. */
export interface Usage {
  reads: number;
  writes: number;
  deletes: number;
  /** Queries, counts and listeners, which are included in the requests. */
  queries: number;
  /** Requests to Firestore, each a round trip. */
  requests: number;
  /** Storage: uploads, copies and lists; what it bills more for. */
  storageA: number;
  /** Storage: reads of objects and of their metadata. */
  storageB: number;
}

export interface Meters {
  readonly usage: Readonly<Usage>;
  /** The emulators' addresses, through the meters. */
  readonly environment: { readonly FIRESTORE_EMULATOR_HOST: string; readonly STORAGE_EMULATOR_HOST: string };
  close(): Promise<void>;
}

/** Starts meters in front of the engines of the test run. */
export async function startMeters(): Promise<Meters> {
  const usage: Usage = { reads: 0, writes: 0, deletes: 0, queries: 0, requests: 0, storageA: 0, storageB: 0 };
  const firestore = await meterFirestore(process.env['FIRESTORE_EMULATOR_HOST']!, usage);
  const storage = await meterStorage(new URL(process.env['STORAGE_EMULATOR_HOST']!), usage);
  return {
    usage,
    environment: {
      FIRESTORE_EMULATOR_HOST: firestore.address,
      STORAGE_EMULATOR_HOST: `http://${storage.address}`,
    },
    close: async () => void (await Promise.all([firestore.close(), storage.close()])),
  };
}

/** Adds the usage of one request and its response; `done` is called when the response has ended. */
interface Counting {
  readonly request?: (message: Buffer, usage: Usage) => void;
  readonly answer?: (message: Buffer, usage: Usage) => number;
  /** The minimum that is billed. */
  readonly atLeast?: number;
  readonly isQuery?: boolean;
}

const COUNTING: Readonly<Record<string, Counting>> = {
  RunQuery: {
    isQuery: true,
    atLeast: 1,
    answer: (message) => {
      const { document, skippedResults } = wire.RunQueryResponse.decode(message);
      return skippedResults + (document ? 1 : 0);
    },
  },
  RunAggregationQuery: {
    isQuery: true,
    atLeast: 1,
    answer: (message) => {
      const [count] = Object.values(
        wire.RunAggregationQueryResponse.decode(message).result?.aggregateFields ?? {},
      );
      return Math.ceil(Number(count?.integerValue ?? 0) / 1000);
    },
  },
  BatchGetDocuments: {
    answer: (message) => {
      const { found, missing } = wire.BatchGetDocumentsResponse.decode(message);
      return found || missing ? 1 : 0;
    },
  },
  Commit: {
    request: (message, usage) => {
      for (const write of wire.CommitRequest.decode(message).writes) {
        if (write.delete) usage.deletes += 1;
        else usage.writes += 1;
      }
    },
  },
  Listen: {
    request: (message, usage) => {
      if (wire.ListenRequest.decode(message).addTarget) usage.queries += 1;
    },
    answer: (message) => (wire.ListenResponse.decode(message).documentChange ? 1 : 0),
  },
  BeginTransaction: {},
  Rollback: {},
};

async function meterFirestore(target: string, usage: Usage) {
  const upstream = connect(`http://${target}`).on('error', () => undefined);
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (client, headers) => {
    const method = String(headers[':path']).split('/').at(-1)!;
    const counting = COUNTING[method];
    if (counting === undefined) throw new Error(`the meter does not know ${method}`);
    usage.requests += 1;
    if (counting.isQuery) usage.queries += 1;
    passOn(client, headers, counting);
  });

  function passOn(client: ServerHttp2Stream, headers: IncomingHttpHeaders, counting: Counting): void {
    const call = upstream.request(
      Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'host')),
    );
    const asked = reassembled((message) => counting.request?.(message, usage));
    let read = 0;
    const answered = reassembled((message) => {
      const more = counting.answer?.(message, usage) ?? 0;
      read += more;
      usage.reads += more;
    });
    client.on('data', (chunk: Buffer) => asked(chunk));
    client.pipe(call);
    client.on('error', () => undefined);
    client.on('close', () => {
      if (!call.closed) call.close(constants.NGHTTP2_CANCEL);
    });
    call.on('error', () => {
      if (!client.destroyed) client.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
    let trailers: IncomingHttpHeaders = {};
    call.on('trailers', (received) => (trailers = received));
    call.on('data', (chunk: Buffer) => answered(chunk));
    call.on('end', () => (usage.reads += Math.max(0, (counting.atLeast ?? 0) - read)));
    call.on('response', (received, flags) => {
      if (client.destroyed) return;
      const endsHere = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      client.respond(received, { waitForTrailers: !endsHere, endStream: endsHere });
      if (endsHere) return;
      client.on('wantTrailers', () => client.sendTrailers(trailers));
      call.pipe(client);
    });
  }

  return listening(server, () => {
    for (const session of sessions) session.destroy();
    upstream.destroy();
  });
}

/** Calls `seen` with each gRPC message of a stream, however the stream is split into chunks. */
function reassembled(seen: (message: Buffer) => void): (chunk: Buffer) => void {
  let waiting = Buffer.alloc(0);
  return (chunk) => {
    const { messages, rest } = split(Buffer.concat([waiting, chunk]));
    waiting = Buffer.from(rest);
    messages.forEach(seen);
  };
}

async function meterStorage(target: URL, usage: Usage) {
  const server = createHttpServer((incoming, outgoing) => {
    count(incoming, usage);
    const call = httpRequest(
      {
        host: target.hostname,
        port: target.port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.rawHeaders);
        answer.pipe(outgoing);
      },
    );
    call.on('error', () => outgoing.destroy());
    incoming.pipe(call);
  });
  return listening(server, () => server.closeAllConnections());
}

/** Deletions are free. */
function count({ method, url = '' }: IncomingMessage, usage: Usage): void {
  const isList = /\/o(\?|$)/.test(url);
  if (method === 'POST' || method === 'PUT' || method === 'PATCH' || (method === 'GET' && isList))
    usage.storageA += 1;
  else if (method === 'GET' || method === 'HEAD') usage.storageB += 1;
}

async function listening(server: Server, end: () => void) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close(): Promise<void> {
      end();
      server.close();
      await once(server, 'close');
    },
  };
}
