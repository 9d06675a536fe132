/**
 * A gRPC proxy in front of the Firestore emulator that injects the faults of a network and a busy database: it loses the
 * response of a successful commit, delays calls, cuts listeners, and responds with UNAVAILABLE or ABORTED. A seed decides
 * which call gets which fault.
 *
 * It uses plain HTTP/2 (h2c) and passes messages on without parsing them. Of gRPC it reads only the method's name in the
 * path (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
 */
import { once } from 'node:events';
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { randomNumbers } from './random.ts';

type Fault = 'lost-answer' | 'delay' | 'cut-listener' | 'unavailable' | 'aborted';

export interface FirestoreProxy {
  /** `host:port`, for FIRESTORE_EMULATOR_HOST. */
  readonly address: string;
  /** The number of injected faults of each kind so far. */
  readonly dealt: Readonly<Record<Fault, number>>;
  /** From now on this share of the calls (0 to 1) gets a fault, and if it is not 0, so does every listener. */
  disturb(share: number): void;
  close(): Promise<void>;
}

const UNAVAILABLE = '14';
const ABORTED = '10';
const { HTTP2_HEADER_PATH, NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR } = constants;

/** @param target `host:port` of the emulator */
export async function startFirestoreProxy(target: string, seed: number): Promise<FirestoreProxy> {
  const random = randomNumbers(seed);
  const dealt: Record<Fault, number> = {
    'lost-answer': 0,
    delay: 0,
    'cut-listener': 0,
    unavailable: 0,
    aborted: 0,
  };
  let share = 0;
  let upstream = openSession();

  function openSession() {
    return connect(`http://${target}`).on('error', () => undefined);
  }

  /** Reconnects, because the emulator may have been restarted. */
  function upstreamSession() {
    if (upstream.closed || upstream.destroyed) upstream = openSession();
    return upstream;
  }

  function faultOf(method: string): Fault | undefined {
    // There are only a few, long listeners, so every one of them gets a fault.
    if (random() >= (method === 'Listen' && share > 0 ? 1 : share)) return undefined;
    const possible = POSSIBLE[method] ?? OTHERWISE;
    const fault = possible[Math.floor(random() * possible.length)];
    if (fault !== undefined) dealt[fault] += 1;
    return fault;
  }

  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => undefined);
  });
  server.on('stream', (client, headers) => {
    client.on('error', () => undefined);
    const method = methodOf(headers);
    const fault = faultOf(method);
    if (fault === 'unavailable') return refuse(client, UNAVAILABLE);
    if (fault === 'aborted') return refuse(client, ABORTED);
    const delayMs = fault === 'delay' ? 50 + random() * 450 : 0;
    const cutAfterMs = fault === 'cut-listener' ? 200 + random() * 5_000 : undefined;
    // Data that arrives before the call is passed on waits in the stream.
    setTimeout(() => {
      if (client.destroyed) return;
      const call = upstreamSession().request(withoutConnectionHeaders(headers));
      passOn(client, call, fault === 'lost-answer');
      if (cutAfterMs !== undefined) setTimeout(() => cut(client, call), cutAfterMs);
    }, delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    dealt,
    disturb: (value) => (share = value),
    async close() {
      for (const session of sessions) session.destroy();
      upstream.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Firestore does not abort reads, and losing a response matters only for a commit. */
const POSSIBLE: Readonly<Record<string, readonly Fault[]>> = {
  Commit: ['lost-answer', 'lost-answer', 'delay', 'unavailable', 'aborted'],
  Listen: ['cut-listener', 'cut-listener', 'unavailable'],
};
const OTHERWISE: readonly Fault[] = ['delay', 'unavailable'];

function methodOf(headers: IncomingHttpHeaders): string {
  return String(headers[HTTP2_HEADER_PATH]).split('/').at(-1) ?? '';
}

/** Responds to a call without passing it on, with trailers only. */
function refuse(client: ServerHttp2Stream, status: string): void {
  client.resume();
  client.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status, 'grpc-message': 'a fault' },
    { endStream: true },
  );
}

/** @param isLost whether a complete response is replaced by UNAVAILABLE */
function passOn(client: ServerHttp2Stream, call: ClientHttp2Stream, isLost: boolean): void {
  client.pipe(call);
  client.on('close', () => {
    if (!call.closed) call.close(NGHTTP2_CANCEL);
  });
  call.on('error', () => cut(client, call));
  if (isLost) {
    call.resume();
    call.on('end', () => {
      if (!client.destroyed) refuse(client, UNAVAILABLE);
    });
    return;
  }
  let trailers: IncomingHttpHeaders = {};
  call.on('trailers', (received) => (trailers = received));
  call.on('response', (headers, flags) => {
    if (client.destroyed) return;
    const endsHere = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    client.respond(headers, { waitForTrailers: !endsHere, endStream: endsHere });
    if (endsHere) return;
    client.on('wantTrailers', () => client.sendTrailers(trailers));
    call.pipe(client);
  });
}

function cut(client: ServerHttp2Stream, call: ClientHttp2Stream): void {
  if (!client.destroyed) client.close(NGHTTP2_INTERNAL_ERROR);
  if (!call.destroyed) call.close(NGHTTP2_CANCEL);
}

function withoutConnectionHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'host'));
}
