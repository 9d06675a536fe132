/** Cases that the Storage emulator cannot produce: a server that sends more than announced, and the metadata of a copy. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished, vi } from 'vitest';
import { connectBucket, copyVersion, downloadVersion } from './bucket.ts';

const version = { name: 'incoming/a.json', generation: '1' };
const MIB = 2 ** 20;

async function bucketAt(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // The client gives the environment precedence over its options.
  vi.stubEnv('STORAGE_EMULATOR_HOST', address);
  onTestFinished(() => void vi.unstubAllEnvs());
  return connectBucket({
    GOOGLE_CLOUD_PROJECT: 'demo',
    GCS_IMPORT_BUCKET: 'bucket',
    STORAGE_EMULATOR_HOST: address,
  });
}

it('stops reading an object that does not end', async () => {
  let sent = 0;
  const closed = Promise.withResolvers<void>();
  const bucket = await bucketAt((_request, response) => {
    response.on('close', () => closed.resolve());
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) sent += 64 * 1024;
    };
    response.on('drain', more);
    more();
  });
  expect(await downloadVersion(bucket, version, MIB)).toBe('too_large');
  await closed.promise;
  expect(sent).toBeLessThan(32 * MIB);
});

it('treats an object that ends too early as a transient fault', async () => {
  const bucket = await bucketAt((_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{');
    setTimeout(() => response.destroy(), 50);
  });
  await expect(downloadVersion(bucket, version, MIB)).rejects.toMatchObject({ code: 'storage.unavailable' });
});

it('keeps only the content encoding of the metadata in a copy', async () => {
  const bodies: unknown[] = [];
  const bucket = await bucketAt((request, response) => {
    void text(request).then((body) => bodies.push(JSON.parse(body)));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ done: true, resource: {} }));
  });
  await copyVersion(bucket, { ...version, contentEncoding: 'gzip' }, 'processed/a.json');
  await copyVersion(bucket, { ...version, contentEncoding: 'Lena' }, 'processed/b.json');
  expect(bodies).toEqual([
    { contentType: 'application/json', contentEncoding: 'gzip' },
    { contentType: 'application/json' },
  ]);
});
