import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../infra/local/ports.ts';
import { isAlive, isTurning, serveProbes } from './probes.ts';

const NOW = 1_000_000;
const state = (connected: boolean, lastPollAt?: number) => ({
  connected,
  lastPollAt,
  assigned: [],
  waiting: [],
});

it.each([
  ['that has just polled', state(true, NOW - 1_000), true],
  ['that has polled for the last time minutes ago', state(true, NOW - 180_000), false],
  ['that has lost Kafka and tries again', state(false, NOW - 600_000), true],
  ['that was never there yet', state(false), true],
])('a consumer %s is alive: %#', (_, consumer, alive) => {
  expect(isAlive(consumer, NOW)).toBe(alive);
});

it('a relay turns while its slowest loop does', () => {
  expect(isTurning({ lastTurnAt: NOW - 599_000 }, NOW)).toBe(true);
  expect(isTurning({ lastTurnAt: NOW - 600_000 }, NOW)).toBe(false);
});

it('answers by the state of its parts, and to nonsense that there is nothing', async () => {
  const port = await freePort();
  const server = await serveProbes(port, {
    '/good': () => ({ relay: true }),
    '/bad': () => ({ relay: true, topic: false }),
  });
  onTestFinished(() => void server.close());
  const statuses = await Promise.all(
    ['/good', '/bad', '//', '/constructor'].map(
      async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).status,
    ),
  );
  expect(statuses).toEqual([200, 503, 404, 404]);
});
