import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { compress } from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { UnpackError } from './bytes.ts';
import { codecName, unpack } from './compression.ts';

const text = Buffer.from('one event, and one event more, and one event more '.repeat(50));
const LIMIT = 1024 * 1024;

/** As Java clients frame it: magic bytes, two versions, and blocks with their sizes. */
function xerial(...blocks: readonly Buffer[]): Buffer {
  const sized = blocks.flatMap((block) => {
    const size = Buffer.alloc(4);
    size.writeInt32BE(block.length);
    return [size, block];
  });
  return Buffer.concat([
    Buffer.from([0x82]),
    Buffer.from('SNAPPY\0'),
    Buffer.from([0, 0, 0, 1, 0, 0, 0, 1]),
    ...sized,
  ]);
}

const snappy = (bytes: Buffer) => Buffer.from(compress(bytes));
/** What the lz4 program makes of the words below with these options, gzipped: packed repetitions pack well again. */
const words = 'one event, and one event more, '.repeat(5_000);
const frames = {
  '-B4':
    'H4sIAAAAAAACA2NR8pVIcViuxsjA8JUhPy9VIbUsNa9ERyExL0WBnyFNITe/KFVHgIFfnuH/CAcHAlJ1FPLzQCH1mQElnPLzRkMKGRwKUAClpGYGBoaPDCjhlErPNDUzAGSPAtAVDP1WVssA6HqyXeoCAAA=',
  '-B4 -BD':
    'H4sIAAAAAAACA2NR8pVwcYhTY2Rg+MqQn5eqkFqWmleio5CYl6LAz5CmkJtflKojwMAvz/B/hIMDAak6Cvl5XMCQ4v830gPj/4sABVBqaWZgYPjIgJRmQIJ0TDczA0D2KABdwdBvZbUMAIxl1ODOAgAA',
  '-B4 -BD -BX --content-size':
    'H4sIAAAAAAACA2NR8pWIcaiIZWIAgetqjAwMXxny81IVUstS80p0FBLzUhT4GdIUcvOLUnUEGPjlGf6PcHAgIFVHIT/vYJLWai5gaPH/G+kB8v9FgAIoxehcfFXVDExEHxmQ0g5Igo7pZ2YAyB6Fii9+i0Hpud/KahkAem0TgOICAAA=',
  '-B4 --no-frame-crc':
    'H4sIAAAAAAACA2NR8pVIcGhSY2Rg+MqQn5eqkFqWmleio5CYl6LAz5CmkJtflKojwMAvz/B/hIMDAak6Cvl5oJD6zIASTvl5oyGFDA4FKIBSUjMDA8NHBpRwSqVnmpoZALJHAegKBgCCI8Z25gIAAA==',
};

describe('the codecs', () => {
  it.each([
    [1, 'gzip', gzipSync(text)],
    [2, 'snappy, bare', snappy(text)],
    [2, 'snappy, in blocks', xerial(snappy(text.subarray(0, 700)), snappy(text.subarray(700)))],
    [4, 'zstd', zstdCompressSync(text)],
  ] as const)('%i unpacks %s', async (codec, _, packed) => {
    expect(await unpack(codec, packed, LIMIT)).toEqual(text);
    await expect(unpack(codec, packed, text.length - 1)).rejects.toMatchObject({ kind: 'too_large' });
  });

  it.each(Object.entries(frames))('3 unpacks an lz4 frame of %s', async (_, gzipped) => {
    const packed = gunzipSync(Buffer.from(gzipped, 'base64'));
    expect((await unpack(3, packed, LIMIT)).equals(Buffer.from(words))).toBe(true);
    expect((await unpack(3, Buffer.concat([packed, packed]), LIMIT)).length).toBe(2 * words.length);
    await expect(unpack(3, packed, words.length - 1)).rejects.toMatchObject({ kind: 'too_large' });
    await expect(unpack(3, packed.subarray(0, 100), LIMIT)).rejects.toMatchObject({ kind: 'malformed' });
  });

  it('refuse in one way what they cannot unpack', async () => {
    const packed = gunzipSync(Buffer.from(frames['-B4 -BD'], 'base64'));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 2, 3, 4),
        fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 20 }),
        async (codec, changes) => {
          const bytes = Buffer.from(codec === 3 ? packed : gzipSync(text));
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          const length = await unpack(codec, bytes, LIMIT).then(
            ({ length }) => length,
            (error: unknown) => {
              expect(error).toBeInstanceOf(UnpackError);
              return 0;
            },
          );
          expect(length).toBeLessThanOrEqual(LIMIT);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('refuse a snappy block that announces more than it may hold', async () => {
    await expect(unpack(2, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]), LIMIT)).rejects.toMatchObject({
      kind: 'too_large',
    });
  });

  it('are five', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(codecName)).toEqual([
      'none',
      'gzip',
      'snappy',
      'lz4',
      'zstd',
      undefined,
      undefined,
      undefined,
    ]);
  });
});
