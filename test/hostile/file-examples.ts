/** Hostile files, uploaded below `incoming/` or dropped into the local folder. */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { MAX_FILE_BYTES } from '../../shared/registration/registration-file.ts';
import { aRegistration, aToken } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import type { HostileWorld } from './world.ts';

const MIB = 1024 * 1024;

/** Blanks, compressed to a thousandth of their size. A gzip file may have any number of members. */
export function gzipBomb(mebibytes: number, start = ''): Buffer {
  const member = gzipSync(Buffer.alloc(16 * MIB, ' '));
  return Buffer.concat([gzipSync(start), ...Array<Buffer>(Math.ceil(mebibytes / 16)).fill(member)]);
}

/** Combining marks, which normalisation must sort in quadratic time. */
export function heapOfMarks(characters: number): string {
  const half = Math.floor(characters / 2);
  return `a${'\u0301'.repeat(half)}${'\u0323'.repeat(half)}`;
}

export function fileExamples(world: () => HostileWorld): void {
  const paddedTo = (bytes: number) => {
    const json = JSON.stringify(aRegistration({ email: null }));
    return json + ' '.repeat(bytes - Buffer.byteLength(json));
  };

  describe('a gzip file', () => {
    it('that unpacks to 600 MB fails as too large, and no process ends', async () => {
      const { upload, stack } = world();
      const { pids } = stack.describe();
      const object = await upload(gzipBomb(600), { metadata: { contentEncoding: 'gzip' } });
      expect(await object.settled()).toMatchObject({ outcome: 'failed', reason: 'import.too_large' });
      expect(stack.describe().pids).toEqual(pids);
    });

    it('of a valid registration is imported', async () => {
      const packed = gzipSync(JSON.stringify(aRegistration({ email: null })));
      const object = await world().upload(packed, { metadata: { contentEncoding: 'gzip' } });
      expect(await object.settled()).toMatchObject({ outcome: 'imported' });
    });

    it('that is not gzip fails with its reason', async () => {
      const object = await world().upload('{"no": "gzip"}', { metadata: { contentEncoding: 'gzip' } });
      expect(await object.settled()).toMatchObject({ outcome: 'failed' });
    });
  });

  describe('a file', () => {
    it.each([
      ['of exactly 1 MiB', MAX_FILE_BYTES, { outcome: 'imported' }],
      ['of one byte more', MAX_FILE_BYTES + 1, { outcome: 'failed', reason: 'import.too_large' }],
    ])('%s ends with the expected outcome', async (_, bytes, record) => {
      expect(await (await world().upload(paddedTo(bytes))).settled()).toMatchObject(record);
    });

    it('of 300 kB of marks for one letter fails with its reason', async () => {
      const object = await world().upload(aRegistration({ strasse: heapOfMarks(150_000) }));
      expect(await object.settled()).toMatchObject({ outcome: 'failed', reason: 'import.invalid' });
    });

    it.each([
      'incoming/mit\nzeile.json',
      'incoming/🙂🏳️‍🌈.json',
      'incoming/../../processed/x.json',
      'incoming/%2e%2e%2f.json',
      `incoming/${'ü'.repeat(440)}.json`,
    ])('may be named %j', async (name) => {
      const object = await world().upload(aRegistration({ email: null }), { name });
      expect(await object.settled()).toMatchObject({ outcome: 'imported' });
    });
  });

  describe("a folder's placeholder", () => {
    it('is ignored, not a failed file', async () => {
      const { upload, stack, mails, untilMailsAreSent } = world();
      await untilMailsAreSent();
      const before = await mails('system-messages');
      const folder = await upload('', { name: 'incoming/2026/' });
      // Its event comes before the event of a file that is uploaded later.
      await (await upload(aRegistration({ email: null }))).settled();
      await sleep(500);
      expect((await stack.db.doc(`imports/${folder.id}`).get()).exists).toBe(false);
      expect(await mails('system-messages')).toHaveLength(before.length);
      await stack.bucket.file(folder.name).delete();
    });
  });

  describe('a file in the drop folder', () => {
    const patientsWith = (reference: string) =>
      world().stack.db.collection('patients').where('zahlungsreferenz', '==', reference).count().get();

    it('is uploaded only after it is completely written', async () => {
      const token = aToken();
      const json = JSON.stringify(aRegistration({ email: null }, { registration_token: token }));
      await mkdir(world().stack.dropFolder, { recursive: true });
      // As `{ sleep 1; cat registration.json; } > drop/slow.json` does, in three parts.
      const writing = createWriteStream(join(world().stack.dropFolder, 'slow.json'));
      for (const part of [json.slice(0, 100), json.slice(100, 300), json.slice(300)]) {
        await sleep(800);
        await new Promise((resolve) => writing.write(part, resolve));
      }
      await sleep(800);
      await new Promise<void>((resolve) => writing.end(resolve));
      await eventually(async () => {
        expect((await patientsWith(token.slice(0, 8))).data().count).toBe(1);
        expect(await readdir(world().stack.dropFolder)).not.toContain('slow.json');
      });
    });
  });
}
