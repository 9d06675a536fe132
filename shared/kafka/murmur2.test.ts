import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kafkaClassPath } from '../../infra/local/engines/kafka-jars.ts';

// patches/kafkajs: unpatched, the hash multiplies unbounded BigInts and takes 46 s for 300 kB.
const murmur2 = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2.js') as (
  key: Buffer | string,
) => number;

const JAVA_SOURCE = join(import.meta.dirname, '../../test/support/Murmur2.java');

/** Values that Kafka 4.3.1 gives, for machines without its jars. */
const known: [string, number][] = [
  ['', 275646681],
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['Ängste', 1748038779],
];

/** Every length mod 4, all bytes, bytes from 0x80 on alone, keys as we send them, and a long one. */
const keys: Buffer[] = [
  ...known.map(([key]) => Buffer.from(key)),
  ...Array.from({ length: 300 }, (_, length) => randomBytes(length)),
  ...Array.from({ length: 256 }, (_, byte) => Buffer.from([byte])),
  ...Array.from({ length: 9 }, (_, length) => Buffer.alloc(length, 0xff)),
  ...Array.from({ length: 9 }, (_, length) => Buffer.alloc(length, 0x80)),
  ...Array.from({ length: 2_000 }, (_, index) => Buffer.from(String(index * 7919))),
  ...Array.from({ length: 2_000 }, () => randomBytes(Math.floor(Math.random() * 64))),
  randomBytes(100_003),
];

describe('the hash that chooses the partition of a key', () => {
  it("equals Kafka's own on every key", async ({ skip }) => {
    const classPath = await kafkaClassPath().catch(() => undefined);
    skip(classPath === undefined, "Kafka's jars need Java and Maven, which are not on this machine");

    const java = spawnSync('java', ['-cp', classPath!, JAVA_SOURCE], {
      input: keys.map((key) => `${key.toString('hex')}\n`).join(''),
      encoding: 'utf8',
      maxBuffer: 1 << 24,
    });

    expect(java.stderr).toBe('');
    expect(java.stdout.trim().split('\n').map(Number)).toEqual(keys.map((key) => murmur2(key)));
  });

  it.each(known)('gives %j the value that Java gives', (key, hash) => {
    expect(murmur2(key)).toBe(hash);
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });
});
