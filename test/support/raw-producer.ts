/**
 * A small Kafka producer that is independent of the service's client. It sends any bytes, including null headers and
 * codecs that our client cannot write. It has one broker, one connection and one request at a time.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { recordBatch, type CodecName, type RawRecord } from './raw-batch.ts';

export interface RawProducer {
  /** @returns the offset of the first record @throws Error with the broker's error code */
  produce(
    topic: string,
    partition: number,
    records: readonly RawRecord[],
    codec?: CodecName,
  ): Promise<bigint>;
  close(): void;
}

const PRODUCE = 0;
/** The first version that accepts zstd. */
const VERSION = 7;
/** The topic is being created, or its leader is being elected. */
const PASSING = new Set([3, 5, 6]);

/** @param address `host:port` of the only broker */
export function rawProducer(address: string): RawProducer {
  const [host = '', port = ''] = address.split(':');
  let socket: Promise<Socket> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const open = () => {
    socket ??= (async () => {
      const opened = connect(Number(port), host);
      await once(opened, 'connect');
      opened.setNoDelay(true);
      opened.on('error', () => undefined);
      opened.on('close', () => (socket = undefined));
      return opened;
    })();
    socket.catch(() => (socket = undefined));
    return socket;
  };

  async function exchange(request: Buffer): Promise<Buffer> {
    const connection = await open();
    connection.write(request);
    const chunks: Buffer[] = [];
    for (;;) {
      const [chunk] = (await once(connection, 'data', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
      chunks.push(chunk);
      const answer = Buffer.concat(chunks);
      if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) return answer;
    }
  }

  function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  }

  return {
    async produce(topic, partition, records, codec) {
      const batch = recordBatch(records, codec);
      for (let attempt = 1; ; attempt += 1) {
        const { error, offset } = readAnswer(
          await oneAtATime(() => exchange(requestOf(topic, partition, batch))),
        );
        if (error === 0) return offset;
        if (!PASSING.has(error) || attempt === 50) throw new Error(`the broker answered ${error}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    close() {
      void socket?.then((opened) => opened.destroy()).catch(() => undefined);
    },
  };
}

function requestOf(topic: string, partition: number, batch: Buffer): Buffer {
  const body = Buffer.concat([
    int16(PRODUCE),
    int16(VERSION),
    int32(1),
    text('raw-producer'),
    int16(-1),
    int16(-1),
    int32(10_000),
    int32(1),
    text(topic),
    int32(1),
    int32(partition),
    int32(batch.length),
    batch,
  ]);
  return Buffer.concat([int32(body.length), body]);
}

/** The response after the size and the correlation id: one topic, one partition. */
function readAnswer(answer: Buffer): { error: number; offset: bigint } {
  const name = answer.readInt16BE(12);
  const at = 14 + name + 4 + 4;
  return { error: answer.readInt16BE(at), offset: answer.readBigInt64BE(at + 2) };
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
