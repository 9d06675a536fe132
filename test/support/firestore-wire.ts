/**
 * Encodes and decodes the messages of Firestore's gRPC interface: a prefix of 5 bytes
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), then protobuf, with the client library's own classes.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** A protobuf class of the client library. */
interface MessageType<T> {
  decode(bytes: Uint8Array): T;
  fromObject(value: object): object;
  encode(message: object): { finish(): Uint8Array };
}

export interface Value {
  readonly stringValue?: string;
  readonly integerValue?: unknown;
  readonly arrayValue?: { readonly values: readonly Value[] };
  readonly booleanValue?: boolean;
  readonly mapValue?: { readonly fields: Readonly<Record<string, Value>> };
}

export interface Filter {
  readonly compositeFilter?: { readonly filters: readonly Filter[] } | null;
  readonly fieldFilter?: {
    readonly field: { fieldPath: string };
    readonly op: unknown;
    readonly value: Value;
  } | null;
}

export interface StructuredQuery {
  readonly where?: Filter | null;
  readonly limit?: { readonly value: number } | null;
  readonly offset?: number;
  readonly startAt?: { readonly values: readonly Value[]; readonly before: boolean } | null;
}

interface QueryRequest {
  readonly structuredQuery: StructuredQuery;
}

interface AggregationRequest {
  readonly structuredAggregationQuery: {
    readonly structuredQuery: StructuredQuery;
    readonly aggregations: readonly { readonly alias: string }[];
  };
}

interface Messages {
  readonly RunQueryRequest: MessageType<QueryRequest>;
  readonly RunQueryResponse: MessageType<{
    readonly document?: object | null;
    readonly skippedResults: number;
  }>;
  readonly RunAggregationQueryRequest: MessageType<AggregationRequest>;
  readonly RunAggregationQueryResponse: MessageType<{
    readonly result?: { readonly aggregateFields: Readonly<Record<string, Value>> } | null;
  }>;
  readonly BatchGetDocumentsResponse: MessageType<{
    readonly found?: object | null;
    readonly missing?: string | null;
  }>;
  readonly CommitRequest: MessageType<{ readonly writes: readonly { readonly delete?: string | null }[] }>;
  readonly ListenRequest: MessageType<{ readonly addTarget?: object | null }>;
  readonly ListenResponse: MessageType<{ readonly documentChange?: object | null }>;
}

// The package does not export these classes, so import the file by its path.
const path = new URL('../protos/firestore_v1_proto_api.js', import.meta.resolve('@google-cloud/firestore'));
const { google } = createRequire(import.meta.url)(fileURLToPath(path)) as {
  google: { firestore: { v1: Messages } };
};

export const wire = google.firestore.v1;

export function encoded(type: MessageType<unknown>, message: object): Buffer {
  const bytes = type.encode(type.fromObject(message)).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Splits the bytes of a stream into complete messages and the rest, which belongs to an incomplete one. */
export function split(bytes: Buffer): { readonly messages: Buffer[]; readonly rest: Buffer } {
  const messages: Buffer[] = [];
  let at = 0;
  while (bytes.length >= at + 5 && bytes.length >= at + 5 + bytes.readUInt32BE(at + 1)) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    messages.push(bytes.subarray(at + 5, end));
    at = end;
  }
  return { messages, rest: bytes.subarray(at) };
}
