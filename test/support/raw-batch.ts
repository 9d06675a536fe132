/**
 * Builds record batches byte by byte (Kafka protocol, record batch v2), so that a test can also build what no client would
 * send. raw-producer.ts sends them.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { crc32c } from '../../shared/kafka/crc32c.ts';

export interface RawRecord {
  readonly key?: string | Buffer | null;
  readonly value?: string | Buffer | null;
  /** In order. Names may repeat. */
  readonly headers?: readonly (readonly [name: string | Buffer, value: string | Buffer | null])[];
}

/** A compression codec; `id` is its number in the attributes of a batch. */
interface Codec {
  readonly id: number;
  readonly compress: (records: Buffer) => Buffer;
}

export const codecs = {
  none: { id: 0, compress: (records) => records },
  gzip: { id: 1, compress: (records) => gzipSync(records) },
  snappy: { id: 2, compress: snappyLiterals },
  lz4: { id: 3, compress: lz4Blocks },
  zstd: { id: 4, compress: (records) => zstdCompressSync(records) },
} as const satisfies Record<string, Codec>;

export type CodecName = keyof typeof codecs;

/** Offsets of the parts of a batch. */
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const RECORDS_AT = 61;

export function recordBatch(records: readonly RawRecord[], codec: CodecName = 'none'): Buffer {
  const { id, compress } = codecs[codec];
  const body = compress(Buffer.concat(records.map(recordBytes)));
  const batch = Buffer.alloc(RECORDS_AT + body.length);
  batch.writeInt32BE(batch.length - LENGTH_AT - 4, LENGTH_AT);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, MAGIC_AT);
  batch.writeInt16BE(id, ATTRIBUTES_AT);
  batch.writeInt32BE(records.length - 1, 23);
  const now = BigInt(Date.now());
  batch.writeBigInt64BE(now, 27);
  batch.writeBigInt64BE(now, 35);
  batch.writeBigInt64BE(-1n, 43);
  batch.writeInt16BE(-1, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(records.length, 57);
  body.copy(batch, RECORDS_AT);
  return sealed(batch);
}

/** Kinds of damage that make a stored batch unreadable. Each changes the bytes in place. */
export const damages = {
  'a bad checksum': (batch: Buffer) =>
    void batch.writeUInt32BE((batch.readUInt32BE(CRC_AT) ^ 1) >>> 0, CRC_AT),
  'an unknown codec': (batch: Buffer) => {
    batch.writeInt16BE(7, ATTRIBUTES_AT);
    sealed(batch);
  },
  'records cut off': (batch: Buffer) => {
    batch.fill(0xff, RECORDS_AT + 3);
    sealed(batch);
  },
  'an unknown magic': (batch: Buffer) => void batch.writeInt8(9, MAGIC_AT),
} as const;

export type Damage = keyof typeof damages;

/** Sets the checksum to that of the current content. */
function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT);
  return batch;
}

function recordBytes({ key = null, value = null, headers = [] }: RawRecord, index: number): Buffer {
  const body = Buffer.concat([
    Buffer.of(0),
    varint(0),
    varint(index),
    sized(key),
    sized(value),
    varint(headers.length),
    ...headers.flatMap(([name, value]) => [sized(name), sized(value)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function sized(bytes: string | Buffer | null): Buffer {
  if (bytes === null) return varint(-1);
  const buffer = Buffer.from(bytes as string);
  return Buffer.concat([varint(buffer.length), buffer]);
}

/** Zigzag encoding, seven bits per byte. */
function varint(value: number): Buffer {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  const bytes: number[] = [];
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** A snappy block of literals only, which is valid and needs no encoder. */
function snappyLiterals(plain: Buffer): Buffer {
  const parts: Buffer[] = [unsignedVarint(plain.length)];
  for (let at = 0; at < plain.length; at += 0x1_0000) {
    const piece = plain.subarray(at, at + 0x1_0000);
    const head = Buffer.from([61 << 2, 0, 0]);
    head.writeUInt16LE(piece.length - 1, 1);
    parts.push(head, piece);
  }
  return Buffer.concat(parts);
}

/** An LZ4 frame of uncompressed blocks: independent, at most 64 KiB each, with a checksum of the header only. */
function lz4Blocks(plain: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('04224d18604082', 'hex')];
  for (let at = 0; at < plain.length; at += 0x1_0000) {
    const piece = plain.subarray(at, at + 0x1_0000);
    const head = Buffer.alloc(4);
    head.writeUInt32LE((0x8000_0000 | piece.length) >>> 0);
    parts.push(head, piece);
  }
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

function unsignedVarint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
