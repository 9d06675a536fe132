/**
 * A TCP proxy in front of a Kafka broker that damages record batches on their way to the consumer. It damages every batch
 * that contains `damage:<kind>` in this way, as a broken disk or a faulty client would.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { crc32c } from '../../shared/kafka/crc32c.ts';
import { faultOfBatch, readHeader } from '../../shared/kafka/record-batch.ts';

/** The kinds of damage. Each changes a batch in place. */
const DAMAGES = {
  codec(batch: Buffer) {
    batch[22] = 6;
    seal(batch);
  },
  format(batch: Buffer) {
    batch[16] = 9;
  },
  checksum(batch: Buffer) {
    batch[batch.length - 1] = (batch.at(-1) ?? 0) ^ 0xff;
  },
  record(batch: Buffer) {
    batch.fill(0xff, 61);
    seal(batch);
  },
  length(batch: Buffer) {
    batch.writeInt32BE(50_000_000, 8);
  },
};

export type Damage = keyof typeof DAMAGES;

function seal(batch: Buffer): void {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
}

export async function startTamperingProxy(target: { port: number }) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', ...target });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    client.pipe(upstream);
    let pending = Buffer.alloc(0);
    upstream.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      // Each response begins with its length.
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const frame = pending.subarray(0, 4 + pending.readInt32BE(0));
        pending = pending.subarray(frame.length);
        client.write(tampered(frame));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function tampered(frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  for (const [kind, damage] of Object.entries(DAMAGES)) {
    const mark = Buffer.from(`damage:${kind}`);
    for (let at = copy.indexOf(mark); at >= 0; at = copy.indexOf(mark, at + mark.length)) {
      const batch = batchAround(copy, at);
      if (batch !== undefined) damage(batch);
    }
  }
  return copy;
}

/** The batch that contains the byte at `at`; undefined when there is none or it is already damaged. */
function batchAround(frame: Buffer, at: number): Buffer | undefined {
  for (let start = at - 61; start >= 0 && start > at - 5_000; start -= 1) {
    if (frame[start + 16] !== 2) continue;
    const rest = frame.subarray(start);
    const header = readHeader(rest);
    if (faultOfBatch(header, rest) === undefined && header !== undefined)
      return rest.subarray(0, header.bytes);
  }
  return undefined;
}
