import { fc } from '../../test/support/properties.ts';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { aBatch, aRecord } from '../../test/support/record-batch.ts';
import { crc32c } from './crc32c.ts';
import { readRecordSet, type AbortedTransaction } from './record-set.ts';

const read = async (bytes: Buffer, from = 0n, aborted: readonly AbortedTransaction[] = [], end = 1_000n) => {
  const { records, next, unreadable } = await readRecordSet({ bytes, from, end, aborted });
  return {
    values: records.map(({ offset, value }) => `${offset} ${value === null ? null : String(value)}`),
    next,
    reason: unreadable?.reason,
    at: unreadable?.offset,
    last: unreadable?.lastOffset,
  };
};
const good = { reason: undefined, at: undefined, last: undefined };
const changed = (batch: Buffer, at: number, byte: number) => {
  const copy = Buffer.from(batch);
  copy[at] = byte;
  return copy;
};

describe('a record set', () => {
  it('gives every record with its own offset, time and key', async () => {
    const bytes = aBatch({ baseOffset: 5n, values: ['a', null], keys: [Buffer.from('k'), null] });
    const { records } = await readRecordSet({ bytes, from: 0n, end: 7n, aborted: [] });
    expect(records).toEqual([
      { offset: 5n, timestamp: 1_005, key: Buffer.from('k'), value: Buffer.from('a'), headers: {} },
      { offset: 6n, timestamp: 1_005, key: null, value: null, headers: {} },
    ]);
  });

  it('begins at the offset that was asked for, and leaves the cut batch at its end to the next fetch', async () => {
    const bytes = Buffer.concat([
      aBatch({ baseOffset: 0n, values: ['a'] }),
      aBatch({ baseOffset: 1n, values: ['b', 'c'] }),
      aBatch({ baseOffset: 3n }).subarray(0, 40),
    ]);
    expect(await read(bytes, 2n)).toEqual({ values: ['2 c'], next: 3n, ...good });
  });

  it('goes on behind a batch from which compaction has removed records', async () => {
    const bytes = aBatch({ baseOffset: 4n, values: ['a'], lastOffsetDelta: 9 });
    expect(await read(bytes, 4n)).toEqual({ values: ['4 a'], next: 14n, ...good });
    const none = aBatch({ baseOffset: 4n, values: [], lastOffsetDelta: 9 });
    expect(await read(none, 4n)).toEqual({ values: [], next: 14n, ...good });
  });

  it('passes over aborted transactions and the markers of all of them', async () => {
    const marker = (type: number) => Buffer.from([0, 0, 0, type]);
    const of = (baseOffset: bigint, producerId: bigint, value: string) =>
      aBatch({ baseOffset, producerId, flags: 0x10, values: [value] });
    const ends = (baseOffset: bigint, producerId: bigint, type: number) =>
      aBatch({ baseOffset, producerId, flags: 0x30, values: [''], keys: [marker(type)] });
    const bytes = Buffer.concat([
      of(0n, 7n, 'aborted'),
      of(1n, 8n, 'committed'),
      ends(2n, 7n, 0),
      of(3n, 7n, 'of the next transaction'),
      ends(4n, 8n, 1),
      ends(5n, 7n, 1),
    ]);
    const aborted = [{ producerId: 7n, firstOffset: 0n }];
    expect(await read(bytes, 0n, aborted)).toEqual({
      values: ['1 committed', '3 of the next transaction'],
      next: 6n,
      ...good,
    });
  });

  const whole = aBatch({ baseOffset: 1n, values: ['b', 'c'] });
  const bomb = Buffer.alloc(17 * 1024 * 1024);
  it.each<[string, Buffer, string]>([
    [
      'a codec that Kafka does not know',
      aBatch({ baseOffset: 1n, values: ['b', 'c'], codec: 6 }),
      'codec_unknown',
    ],
    ['a wrong checksum', changed(whole, whole.length - 1, 0xff), 'checksum_wrong'],
    ['another format', aBatch({ baseOffset: 1n, values: ['b', 'c'], magic: 7 }), 'format_unknown'],
    [
      'a record that goes beyond the end',
      aBatch({ baseOffset: 1n, values: ['b', 'c'], packed: Buffer.from([120, 1]) }),
      'malformed',
    ],
    [
      'endless numbers',
      aBatch({ baseOffset: 1n, values: ['b', 'c'], packed: Buffer.alloc(64, 0xff) }),
      'malformed',
    ],
    [
      'bytes behind its records',
      aBatch({
        baseOffset: 1n,
        values: ['b', 'c'],
        packed: Buffer.concat([aRecord(0, null, null), aRecord(1, null, null), Buffer.alloc(9)]),
      }),
      'malformed',
    ],
    ['fewer records than it says', aBatch({ baseOffset: 1n, values: ['b', 'c'], records: 3 }), 'malformed'],
    [
      'the same offset twice',
      aBatch({
        baseOffset: 1n,
        values: ['b', 'c'],
        packed: Buffer.concat([aRecord(0, null, null), aRecord(0, null, null)]),
      }),
      'malformed',
    ],
    [
      'more records than the worker takes',
      aBatch({ baseOffset: 1n, values: ['b', 'c'], records: 100_001 }),
      'too_large',
    ],
    [
      'gzip that is none',
      aBatch({ baseOffset: 1n, values: ['b', 'c'], codec: 1, packed: Buffer.from('none') }),
      'malformed',
    ],
    [
      'a gzip bomb',
      aBatch({ baseOffset: 1n, values: ['b', 'c'], codec: 1, packed: gzipSync(bomb) }),
      'too_large',
    ],
    [
      'a zstd bomb',
      aBatch({ baseOffset: 1n, values: ['b', 'c'], codec: 4, packed: zstdCompressSync(bomb) }),
      'too_large',
    ],
  ])('stands before a batch with %s, and knows what is before and behind it', async (_, batch, reason) => {
    const before = aBatch({ baseOffset: 0n, values: ['a'] });
    const behind = aBatch({ baseOffset: 3n, values: ['d'] });
    const bytes = Buffer.concat([before, batch, behind]);
    expect(await read(bytes)).toEqual({ values: ['0 a'], next: 1n, reason, at: 1n, last: 2n });
    expect(await read(behind, 3n)).toMatchObject({ values: ['3 d'], ...good });
  });

  it('takes the header of a damaged batch for true only where it fits the end of the partition', async () => {
    const damaged = changed(whole, whole.length - 1, 0xff);
    expect(await read(damaged, 1n, [], 3n)).toMatchObject({ reason: 'checksum_wrong', last: 2n });
    expect(await read(damaged, 1n, [], 9n)).toMatchObject({ reason: 'checksum_wrong', last: undefined });
  });

  it('stands before a first batch that ends early', async () => {
    expect(await read(whole.subarray(0, 70), 1n)).toMatchObject({ reason: 'cut_short', at: 1n });
    expect(await read(whole.subarray(0, 10), 1n)).toMatchObject({ reason: 'cut_short', at: 1n });
  });

  it('leaves the rest to the next fetch when there is much already', async () => {
    const value = 'x'.repeat(1024 * 1024);
    const batches = Array.from({ length: 6 }, (_, n) => aBatch({ baseOffset: BigInt(n), values: [value] }));
    expect((await read(Buffer.concat(batches))).next).toBe(4n);
  });

  it('never throws, and never moves backwards, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 6 }),
        fc.boolean(),
        fc.nat(200),
        async (changes, resealed, cut) => {
          let bytes = Buffer.concat([whole, aBatch({ baseOffset: 3n, codec: 1, packed: gzipSync('x') })]);
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          if (resealed) bytes.writeUInt32BE(crc32c(bytes.subarray(21, whole.length)), 17);
          bytes = bytes.subarray(0, bytes.length - (cut % bytes.length));
          const { next } = await readRecordSet({ bytes, from: 1n, end: 9n, aborted: [] });
          expect(next >= 1n).toBe(true);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
