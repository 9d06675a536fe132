import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { rememberVerified } from './verified-tokens.ts';

const START = Date.parse('2026-11-02T09:00:00Z');
const inSeconds = (seconds: number) => Math.floor(START / 1000) + seconds;

beforeEach(() => vi.useFakeTimers({ toFake: ['Date'], now: START }));
afterEach(() => vi.useRealTimers());

it('verifies a token once a minute', async () => {
  const verify = vi.fn(async () => ({ sub: 'staff-1', exp: inSeconds(3600) }));
  const payloadOf = rememberVerified(verify);
  await payloadOf('a');
  vi.setSystemTime(START + 59_999);
  expect(await payloadOf('a')).toMatchObject({ sub: 'staff-1' });
  expect(verify).toHaveBeenCalledTimes(1);
  vi.setSystemTime(START + 60_000);
  await payloadOf('a');
  expect(verify).toHaveBeenCalledTimes(2);
});

it('does not accept a remembered token after its expiry', async () => {
  const verify = vi.fn(async () => {
    if (Date.now() >= START + 10_000) throw new Error('expired');
    return { exp: inSeconds(10) };
  });
  const payloadOf = rememberVerified(verify);
  await payloadOf('a');
  vi.setSystemTime(START + 9_999);
  await payloadOf('a');
  expect(verify).toHaveBeenCalledTimes(1);
  vi.setSystemTime(START + 10_000);
  await expect(payloadOf('a')).rejects.toThrow('expired');
});

it('verifies a refused token each time, and every token by itself', async () => {
  const verify = vi.fn(async (token: string) => {
    if (token !== 'good') throw new Error('refused');
    return { exp: inSeconds(3600) };
  });
  const payloadOf = rememberVerified(verify);
  await payloadOf('good');
  await expect(payloadOf('bad')).rejects.toThrow('refused');
  await expect(payloadOf('bad')).rejects.toThrow('refused');
  expect(verify).toHaveBeenCalledTimes(3);
});

it('remembers at most 500 tokens', async () => {
  const verify = vi.fn(async () => ({ exp: inSeconds(3600) }));
  const payloadOf = rememberVerified(verify);
  for (let n = 0; n <= 500; n += 1) await payloadOf(`token-${n}`);
  await payloadOf('token-500');
  expect(verify).toHaveBeenCalledTimes(501);
  await payloadOf('token-0');
  expect(verify).toHaveBeenCalledTimes(502);
});
