/**
 * The codecs of Kafka's record batches, by their number in the attributes of a batch
 * (https://kafka.apache.org/documentation/#recordbatch). Packed bytes are not trusted: nothing unpacks to more than the
 * caller's limit.
 */
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { uncompress } from 'snappyjs';
import { UnpackError } from './bytes.ts';
import { unpackLz4Frames } from './lz4.ts';

type Unpack = (packed: Buffer, limit: number) => Promise<Buffer> | Buffer;

const CODECS: readonly { readonly name: string; readonly unpack: Unpack }[] = [
  { name: 'none', unpack: (packed) => packed },
  { name: 'gzip', unpack: byZlib(promisify(gunzip)) },
  { name: 'snappy', unpack: unpackSnappy },
  { name: 'lz4', unpack: unpackLz4Frames },
  { name: 'zstd', unpack: byZlib(promisify(zstdDecompress)) },
];

/** The codec's name; undefined for a number that Kafka does not define. */
export function codecName(codec: number): string | undefined {
  return CODECS[codec]?.name;
}

/**
 * @param codec one that {@link codecName} knows
 * @param limit bytes
 * @throws UnpackError when the bytes are not valid for the codec, or unpack to more than the limit
 */
export async function unpack(codec: number, packed: Buffer, limit: number): Promise<Buffer> {
  const known = CODECS[codec];
  if (known === undefined) throw new RangeError(`There is no codec ${codec}`);
  try {
    return await known.unpack(packed, limit);
  } catch (error) {
    if (error instanceof UnpackError) throw error;
    throw new UnpackError('malformed', { cause: error });
  }
}

function byZlib(unpack: (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>): Unpack {
  return async (packed, limit) => {
    try {
      return await unpack(packed, { maxOutputLength: limit });
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw new UnpackError('too_large');
      throw error;
    }
  };
}

/** Java clients write snappy in the framing of the xerial library, librdkafka writes it bare. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** The magic bytes and two version numbers. */
const XERIAL_HEADER_BYTES = 16;

function unpackSnappy(packed: Buffer, limit: number): Buffer {
  if (!packed.subarray(0, XERIAL.length).equals(XERIAL)) return unpackSnappyBlock(packed, limit);
  const blocks: Buffer[] = [];
  let room = limit;
  for (let at = XERIAL_HEADER_BYTES; at < packed.length;) {
    const size = packed.readInt32BE(at);
    at += 4;
    if (size < 0 || at + size > packed.length) throw new UnpackError('malformed');
    const block = unpackSnappyBlock(packed.subarray(at, at + size), room);
    at += size;
    room -= block.length;
    blocks.push(block);
  }
  return Buffer.concat(blocks);
}

/** A block begins with its unpacked length, 7 bits a byte. */
function unpackSnappyBlock(packed: Buffer, limit: number): Buffer {
  let length = 0;
  for (let index = 0, more = true; more; index += 1) {
    const byte = packed[index];
    if (byte === undefined || index === 5) throw new UnpackError('malformed');
    length += (byte & 0x7f) * 2 ** (7 * index);
    more = byte >= 0x80;
  }
  if (length > limit) throw new UnpackError('too_large');
  return uncompress(packed, limit);
}
