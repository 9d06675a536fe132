/** Builds record batches, valid or damaged (https://kafka.apache.org/documentation/#recordbatch). */
import { crc32c } from '../../shared/kafka/crc32c.ts';

export interface BatchParts {
  readonly baseOffset?: bigint;
  readonly values?: readonly (string | null)[];
  /** Replaces the records, already compressed. */
  readonly packed?: Buffer;
  readonly codec?: number;
  /** Added to the codec: 0x10 transactional, 0x20 control. */
  readonly flags?: number;
  readonly producerId?: bigint;
  readonly records?: number;
  readonly lastOffsetDelta?: number;
  readonly magic?: number;
  readonly keys?: readonly (Buffer | null)[];
}

export function aBatch(parts: BatchParts = {}): Buffer {
  const values = parts.values ?? ['value'];
  const records = values.map((value, index) =>
    aRecord(index, parts.keys?.[index] ?? null, value === null ? null : Buffer.from(value)),
  );
  const checked = Buffer.alloc(40);
  checked.writeInt16BE((parts.codec ?? 0) | (parts.flags ?? 0), 0);
  checked.writeInt32BE(parts.lastOffsetDelta ?? values.length - 1, 2);
  checked.writeBigInt64BE(1_000n, 6);
  checked.writeBigInt64BE(2_000n, 14);
  checked.writeBigInt64BE(parts.producerId ?? -1n, 22);
  checked.writeInt16BE(-1, 30);
  checked.writeInt32BE(-1, 32);
  checked.writeInt32BE(parts.records ?? values.length, 36);
  const body = Buffer.concat([checked, parts.packed ?? Buffer.concat(records)]);
  const head = Buffer.alloc(21);
  head.writeBigInt64BE(parts.baseOffset ?? 0n, 0);
  head.writeInt32BE(9 + body.length, 8);
  head.writeInt8(parts.magic ?? 2, 16);
  head.writeUInt32BE(crc32c(body), 17);
  return Buffer.concat([head, body]);
}

export function aRecord(offsetDelta: number, key: Buffer | null, value: Buffer | null): Buffer {
  const bytes = (part: Buffer | null) =>
    part === null ? varint(-1) : Buffer.concat([varint(part.length), part]);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(5),
    varint(offsetDelta),
    bytes(key),
    bytes(value),
    varint(0),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
