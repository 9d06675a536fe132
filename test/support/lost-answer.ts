/** Loses the answer to a commit that happened, as a cut connection does. A test restores its mocks afterwards. */
import { Firestore } from '@google-cloud/firestore';
import { vi } from 'vitest';

type Request = (this: Firestore, method: string, ...rest: unknown[]) => Promise<unknown>;

/** Cuts the connection after the next commit, and after `meanwhile`. */
export function loseNextAnswer(meanwhile: () => Promise<unknown> = async () => {}): void {
  const client = Firestore.prototype as unknown as { request: Request };
  const request = client.request;
  let isNext = true;
  vi.spyOn(client, 'request').mockImplementation(async function (this: Firestore, method, ...rest) {
    const answer = await request.call(this, method, ...rest);
    if (method !== 'commit' || !isNext) return answer;
    isNext = false;
    await meanwhile();
    throw Object.assign(new Error('The connection was cut'), { code: 14 });
  });
}
