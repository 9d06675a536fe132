/** Loses the answer to a commit that happened, as a cut connection does. A test restores its mocks afterwards. */
import { Firestore } from '@google-cloud/firestore';
import { vi } from 'vitest';

type Request = (this: Firestore, method: string, ...rest: unknown[]) => Promise<unknown>;

/**
 * Cuts the connection after the next commit, and after `meanwhile`: the client runs a transaction again, and a single
 * write fails.
 * @param path only a commit that writes such a document, as in `patients/7`
 */
export function loseNextAnswer(meanwhile: () => Promise<unknown> = async () => {}, path = ''): void {
  onNextCommit(path, async () => {
    await meanwhile();
    throw Object.assign(new Error('The connection was cut'), { code: 14 });
  });
}

/**
 * Sends the next commit twice, as the client does with a write outside of a transaction whose answer was lost: the
 * repeat meets what the first one wrote.
 */
export function repeatNextCommit(path = ''): void {
  onNextCommit(path, (commit) => commit());
}

/** Does something in place of giving the answer to the next commit that happens. */
function onNextCommit(path: string, instead: (commit: () => Promise<unknown>) => Promise<unknown>): void {
  const client = Firestore.prototype as unknown as { request: Request };
  const request = client.request;
  let isNext = true;
  vi.spyOn(client, 'request').mockImplementation(async function (this: Firestore, method, ...rest) {
    const commit = () => request.call(this, method, ...rest);
    const answer = await commit();
    if (method !== 'commit' || !isNext || !JSON.stringify(rest[0]).includes(path)) return answer;
    isNext = false;
    return instead(commit);
  });
}
