/** The API responds even if a dependency hangs. */
import { expect, it, onTestFinished, vi } from 'vitest';
import { createApp } from '../../functions/patients-api/app.ts';
import { aBody, startApi } from '../support/api.ts';

it('responds with 503 and Retry-After at the time limit', async () => {
  const api = await startApi();
  const reached = Promise.withResolvers<void>();
  const app = createApp({
    ...api.deps,
    allocatePatientId: () => {
      reached.resolve();
      return new Promise(() => {});
    },
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());

  const answering = app.request('/api/patients', {
    method: 'POST',
    headers: { authorization: `Bearer ${api.issuer.tokens.staff}`, 'content-type': 'application/json' },
    body: JSON.stringify(aBody()),
  });
  await reached.promise;
  await vi.advanceTimersByTimeAsync(20_000);

  const answer = await answering;
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(await answer.json()).toMatchObject({
    type: expect.stringContaining('request.timed_out'),
    status: 503,
  });
});
