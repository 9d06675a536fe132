import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { fc } from '../../test/support/properties.ts';
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

  describe('of an lz4 frame', () => {
    const MAGIC = [0x04, 0x22, 0x4d, 0x18];
    const END = [0, 0, 0, 0];
    /** Version 1, linked blocks of up to 64 KiB, nothing optional; the checksum of the header is wrong. */
    const HEADER = [...MAGIC, 0x40, 0x40, 0x00];
    const u32 = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
    const block = (bytes: readonly number[], stored = false) => [
      ...u32((bytes.length | (stored ? 0x80000000 : 0)) >>> 0),
      ...bytes,
    ];
    const abc = block([0x61, 0x62, 0x63], true);
    const frame = (...blocks: number[][]) => Buffer.from([...HEADER, ...blocks.flat(), ...END]);
    /** A literal, then a copy of `more` times 255 bytes and some, from `distance` bytes before. */
    const copying = (distance: number, more: number) =>
      block([0x1f, 0x61, distance & 0xff, distance >>> 8, ...Array.from({ length: more }, () => 255), 0, 0]);

    it.each([
      [
        'two frames, with something to skip between',
        Buffer.concat([frame(abc), Buffer.from([0x50, 0x2a, 0x4d, 0x18, ...u32(2), 9, 9]), frame(abc)]),
        'abcabc',
      ],
      ['stored blocks without bytes', frame(block([], true), abc, block([], true)), 'abc'],
      [
        'a content size that lies',
        Buffer.from([...MAGIC, 0x48, 0x40, 255, 255, 255, 255, 255, 255, 255, 127, 0, ...abc, ...END]),
        'abc',
      ],
      [
        'a dictionary that nothing copies from',
        Buffer.from([...MAGIC, 0x41, 0x40, 1, 2, 3, 4, 0, ...abc, ...END]),
        'abc',
      ],
      ['a copy that overlaps itself', frame(copying(1, 0)), 'a'.repeat(20)],
      ['nothing', frame(), ''],
    ])('read %s', async (_, packed, expected) => {
      expect(String(await unpack(3, packed, LIMIT))).toBe(expected);
    });

    it.each([
      ['a copy from before the beginning', frame(copying(2, 0))],
      [
        'a copy from the dictionary that nobody has',
        Buffer.from([...MAGIC, 0x41, 0x40, 1, 2, 3, 4, 0, ...copying(60_000, 0), ...END]),
      ],
      ['a copy from no distance', frame(copying(0, 0))],
      ['a copy from another frame', Buffer.concat([frame(abc), frame(copying(3, 0))])],
      ['no end mark', Buffer.from([...HEADER, ...abc])],
      ['a block that is longer than the frame', Buffer.from([...HEADER, ...u32(0x7fffffff), 1, 2, 3])],
      ['a checksum that is cut off', Buffer.from([...MAGIC, 0x44, 0x40, 0, ...abc, ...END, 1, 2])],
      ['more to skip than there is', Buffer.from([0x50, 0x2a, 0x4d, 0x18, ...u32(0xffffffff)])],
      ['another version', Buffer.from([...MAGIC, 0x80, 0x40, 0, ...END])],
      ['half a header', Buffer.from(MAGIC)],
    ])('refuse %s', async (_, packed) => {
      await expect(unpack(3, packed, LIMIT)).rejects.toMatchObject({ kind: 'malformed' });
    });

    it('stop at the limit, however much a copy announces', async () => {
      await expect(unpack(3, frame(copying(1, 1_000_000)), LIMIT)).rejects.toMatchObject({
        kind: 'too_large',
      });
      const many = Buffer.concat(Array.from({ length: 50_000 }, () => frame(copying(1, 10))));
      await expect(unpack(3, many, LIMIT)).rejects.toMatchObject({ kind: 'too_large' });
    });
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
