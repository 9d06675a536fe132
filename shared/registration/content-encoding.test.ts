import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { knownCoding, unpackContent } from './content-encoding.ts';

const MAX = 1000;
const unpacked = async (bytes: Buffer, coding?: string) =>
  (await unpackContent(bytes, coding, MAX)).toString();
const packed = (text: string) => gzipSync(text);

describe('unpacking', () => {
  it.each([undefined, '', 'identity', ' Identity '])(
    'leaves what is not packed as it is (%s)',
    async (coding) => {
      expect(await unpacked(Buffer.from('plain'), coding)).toBe('plain');
    },
  );

  it.each(['gzip', 'GZIP', 'x-gzip', 'identity, gzip'])('reads %s', async (coding) => {
    expect(await unpacked(packed('text'), coding)).toBe('text');
  });

  it('reads several gzip members as one file, with one limit for all', async () => {
    const half = 'x'.repeat(MAX / 2);
    expect(await unpacked(Buffer.concat([packed(half), packed(half)]), 'gzip')).toBe(half + half);
    const more = Buffer.concat([packed(half), packed(half), packed('x')]);
    await expect(unpacked(more, 'gzip')).rejects.toMatchObject({ code: 'import.too_large' });
  });

  it('accepts exactly the limit and refuses one byte more', async () => {
    expect(await unpacked(packed('x'.repeat(MAX)), 'gzip')).toHaveLength(MAX);
    await expect(unpacked(packed('x'.repeat(MAX + 1)), 'gzip')).rejects.toMatchObject({
      code: 'import.too_large',
    });
  });

  it('finishes for 50,000 empty members', async () => {
    const members = Buffer.concat(Array.from({ length: 50_000 }, () => packed('')));
    expect(await unpacked(members, 'gzip')).toBe('');
  });

  it.each<[string, Buffer, string]>([
    ['broken', Buffer.from(packed('text')).fill(0xff, 12), 'gzip'],
    ['of another coding', packed('text'), 'br'],
    ['packed twice', gzipSync(packed('text')), 'gzip, gzip'],
    ['marked with something else', packed('text'), 'Lena Beispiel'],
  ])('refuses what is %s, and says why without a value', async (_, bytes, coding) => {
    const refusal = await unpacked(bytes, coding).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'import.content_encoding', retriable: false });
    expect(JSON.stringify(refusal)).not.toContain('Lena');
  });
});

it('keeps only a registered content encoding', () => {
  expect(['GZIP', 'br', 'identity', '', 'gzip, gzip', 'Lena'].map(knownCoding)).toEqual([
    'gzip',
    'br',
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
