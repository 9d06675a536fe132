/**
 * One record batch of Kafka's message format 2 (https://kafka.apache.org/documentation/#recordbatch): its header, its
 * checksum and its records. The bytes are not trusted: everything is checked.
 */
import { Bytes, UnpackError } from './bytes.ts';
import { codecName, unpack } from './compression.ts';
import { crc32c } from './crc32c.ts';

/** A larger batch counts as unreadable. The worker has 1 GiB of memory and 12 partitions. */
const BATCH_LIMITS = { bytes: 16 * 1024 * 1024, records: 100_000 };

/** Why a batch cannot be read, in words that complete "a batch that cannot be read: …". */
export const UNREADABLE = {
  format_unknown: 'its format is not known',
  checksum_wrong: 'its checksum is wrong',
  cut_short: 'it ends early',
  codec_unknown: 'its codec is not known',
  malformed: 'a record in it is malformed',
  too_large: `it unpacks to more than ${BATCH_LIMITS.bytes} bytes or ${BATCH_LIMITS.records} records`,
  broker_refuses: 'the broker cannot read it',
} as const;

/** Why a batch cannot be read. */
export type UnreadableReason = keyof typeof UNREADABLE;

/** Length of a batch's header, up to and including the number of records. */
const HEADER_BYTES = 61;
/** The length field in the header counts the bytes that follow it. */
const LENGTH_ENDS_AT = 12;
const MAGIC_AT = 16;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;
const MAGIC = 2;

/** The header of a batch, not verified; {@link faultOfBatch} says whether it can be trusted. */
export interface BatchHeader {
  readonly baseOffset: bigint;
  /** Size of the whole batch. */
  readonly bytes: number;
  readonly magic: number;
  readonly crc: number;
  /** The number of its codec. */
  readonly codec: number;
  readonly lastOffset: bigint;
  /** Milliseconds since the epoch. */
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly timestampIsOfBroker: boolean;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly producerId: bigint;
  readonly records: number;
}

/** One record of a batch. `timestamp` is in milliseconds since the epoch. */
export interface BatchRecord {
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** A repeated header keeps its last value. */
  readonly headers: Readonly<Record<string, Buffer | null>>;
}

/** Reads a header without verifying it; undefined when too few bytes are left for one. */
export function readHeader(bytes: Buffer): BatchHeader | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const attributes = bytes.readInt16BE(21);
  const baseOffset = bytes.readBigInt64BE(0);
  return {
    baseOffset,
    bytes: LENGTH_ENDS_AT + bytes.readInt32BE(8),
    magic: bytes.readInt8(MAGIC_AT),
    crc: bytes.readUInt32BE(CHECKSUM_AT),
    codec: attributes & 0x7,
    timestampIsOfBroker: (attributes & 0x8) !== 0,
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    lastOffset: baseOffset + BigInt(bytes.readInt32BE(23)),
    firstTimestamp: Number(bytes.readBigInt64BE(27)),
    maxTimestamp: Number(bytes.readBigInt64BE(35)),
    producerId: bytes.readBigInt64BE(43),
    records: bytes.readInt32BE(57),
  };
}

/**
 * What is wrong with the batch at the start of the bytes, without reading its records; undefined when nothing is.
 */
export function faultOfBatch(header: BatchHeader | undefined, bytes: Buffer): UnreadableReason | undefined {
  if (header === undefined) return 'cut_short';
  if (header.magic !== MAGIC) return 'format_unknown';
  if (header.bytes < HEADER_BYTES) return 'malformed';
  if (header.bytes > bytes.length) return 'cut_short';
  if (crc32c(bytes.subarray(CHECKED_FROM, header.bytes)) !== header.crc) return 'checksum_wrong';
  if (codecName(header.codec) === undefined) return 'codec_unknown';
  if (header.lastOffset < header.baseOffset || header.records < 0) return 'malformed';
  return undefined;
}

/**
 * The records of a batch in which {@link faultOfBatch} finds no fault.
 * @throws UnpackError
 */
export async function readRecords(header: BatchHeader, bytes: Buffer): Promise<BatchRecord[]> {
  if (header.records > BATCH_LIMITS.records) throw new UnpackError('too_large');
  const packed = bytes.subarray(HEADER_BYTES, header.bytes);
  const input = new Bytes(await unpack(header.codec, packed, BATCH_LIMITS.bytes));
  const records: BatchRecord[] = [];
  let last = header.baseOffset - 1n;
  for (let count = 0; count < header.records; count += 1) {
    const record = readRecord(header, input);
    if (record.offset <= last || record.offset > header.lastOffset) throw new UnpackError('malformed');
    last = record.offset;
    records.push(record);
  }
  if (input.left > 0) throw new UnpackError('malformed');
  return records;
}

function readRecord(header: BatchHeader, input: Bytes): BatchRecord {
  const record = new Bytes(input.take(input.varint()));
  record.byte(); // attributes, unused
  const timestamp = header.firstTimestamp + record.varlong();
  const offset = header.baseOffset + BigInt(record.varint());
  const key = record.bytes();
  const value = record.bytes();
  const headers: [string, Buffer | null][] = [];
  for (let left = record.varint(); left > 0; left -= 1) {
    const name = record.take(record.varint()).toString('utf8');
    headers.push([name, record.bytes()]);
  }
  if (record.left > 0) throw new UnpackError('malformed');
  return {
    offset,
    timestamp: header.timestampIsOfBroker ? header.maxTimestamp : timestamp,
    key,
    value,
    headers: Object.fromEntries(headers),
  };
}
