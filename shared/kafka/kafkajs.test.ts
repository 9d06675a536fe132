import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { closing, kafkaCorner, testLog } from '../../test/support/kafka.ts';
import { kafkaClient } from './kafkajs.ts';

const kafka = await kafkaCorner();

describe('an idle connection', () => {
  // patches/kafkajs: without it a timer is armed every millisecond for as long as the process lives.
  it('does not keep a timer running for requests that do not exist', async () => {
    const admin = closing(await kafka.client.admin());
    await admin.ranges(await kafka.topic('idle'));

    const timers = vi.spyOn(globalThis, 'setTimeout');
    await sleep(300);
    const armed = timers.mock.calls.length;
    timers.mockRestore();

    expect(armed).toBeLessThan(10);
  });
});

describe('the log of the client', () => {
  it('comes in our format and speaks only as loud as configured', async () => {
    const unreachable = { ...kafka.config, KAFKA_BOOTSTRAP_SERVERS: ['127.0.0.1:9'] };
    const quiet: string[] = [];
    const loud: string[] = [];

    await expect(kafkaClient(unreachable, testLog(loud)).admin()).rejects.toThrow('ECONNREFUSED');
    await expect(
      kafkaClient({ ...unreachable, KAFKA_LOG_LEVEL: 'nothing' }, testLog(quiet)).admin(),
    ).rejects.toThrow('ECONNREFUSED');

    expect(quiet).toEqual([]);
    expect(JSON.parse(loud[0]!)).toMatchObject({ severity: 'WARNING', component: 'kafkajs.Connection' });
  });
});
