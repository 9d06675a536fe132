/**
 * Reads LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md): independent and linked blocks, with
 * or without checksums. The checksums are not verified: the record batch has its own checksum over all of it.
 */
import { UnpackError } from './bytes.ts';

const MAGIC = 0x184d2204;
/** A reader skips frames with this magic number; its last four bits may have any value. */
const SKIPPABLE = 0x184d2a50;
const UNCOMPRESSED = 0x80000000;
/** Length of the shortest copy. Stored lengths are relative to it. */
const MIN_MATCH = 4;

/** @throws UnpackError; RangeError where a length lies beyond the end */
export function unpackLz4Frames(packed: Buffer, limit: number): Buffer {
  const output = new Output(limit);
  let at = 0;
  while (at < packed.length) {
    const magic = packed.readUInt32LE(at);
    at += 4;
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) at += 4 + packed.readUInt32LE(at);
    else if (magic === MAGIC) at = unpackFrame(packed, at, output);
    else throw new UnpackError('malformed');
  }
  if (at > packed.length) throw new UnpackError('malformed');
  return output.bytes();
}

/** @returns where the frame ends */
function unpackFrame(packed: Buffer, start: number, output: Output): number {
  const flags = packed.readUInt8(start);
  const has = (bit: number) => (flags & (1 << bit)) !== 0;
  if (flags >>> 6 !== 1) throw new UnpackError('malformed');
  // Flags, block size, then content size and dictionary where there are any, and the header's checksum.
  let at = start + 2 + (has(3) ? 8 : 0) + (has(0) ? 4 : 0) + 1;
  const independent = has(5);
  output.forget();
  for (;;) {
    const head = packed.readUInt32LE(at);
    at += 4;
    if (head === 0) break;
    const size = head & ~UNCOMPRESSED;
    if (at + size > packed.length) throw new UnpackError('malformed');
    const block = packed.subarray(at, at + size);
    if (independent) output.forget();
    if (head >>> 31 === 1) output.append(block);
    else unpackBlock(block, output);
    at += size + (has(4) ? 4 : 0);
  }
  return at + (has(2) ? 4 : 0);
}

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
function unpackBlock(block: Buffer, output: Output): void {
  let at = 0;
  const byte = () => {
    const value = block[at];
    if (value === undefined) throw new UnpackError('malformed');
    at += 1;
    return value;
  };
  const lengthFrom = (nibble: number) => {
    let length = nibble;
    if (nibble === 15) {
      let more: number;
      do {
        more = byte();
        length += more;
      } while (more === 255);
    }
    return length;
  };
  while (at < block.length) {
    const token = byte();
    const literals = lengthFrom(token >>> 4);
    if (at + literals > block.length) throw new UnpackError('malformed');
    output.append(block.subarray(at, at + literals));
    at += literals;
    // The last sequence ends with its literals.
    if (at === block.length) return;
    const distance = byte() + (byte() << 8);
    output.repeat(distance, lengthFrom(token & 15) + MIN_MATCH);
  }
}

/** Grows by doubling up to the limit. */
class Output {
  private buffer = Buffer.allocUnsafe(64 * 1024);
  private length = 0;
  /** Copies may not reach before this point. */
  private reach = 0;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  forget(): void {
    this.reach = this.length;
  }

  append(bytes: Buffer): void {
    this.reserve(bytes.length);
    bytes.copy(this.buffer, this.length);
    this.length += bytes.length;
  }

  /** Copies what was written `distance` bytes ago; the copy may overlap itself. */
  repeat(distance: number, count: number): void {
    const from = this.length - distance;
    if (distance === 0 || from < this.reach) throw new UnpackError('malformed');
    this.reserve(count);
    if (distance >= count) {
      this.buffer.copyWithin(this.length, from, from + count);
    } else {
      for (let index = 0; index < count; index += 1) {
        this.buffer[this.length + index] = this.buffer[from + index] ?? 0;
      }
    }
    this.length += count;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.limit) throw new UnpackError('too_large');
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.limit, Math.max(needed, this.buffer.length * 2)));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}
