/** Loses a commit or its response, as a cut connection does, or holds it back. The test must restore its mocks afterwards. */
import { Firestore } from '@google-cloud/firestore';
import { vi } from 'vitest';

type Request = (this: Firestore, method: string, ...rest: unknown[]) => Promise<unknown>;

/**
 * Cuts the connection after the next commit and after `meanwhile`. The client then repeats a transaction, but a single
 * write fails.
 * @param path affects only a commit that writes a document whose path contains this, such as `patients/7`
 */
export function loseNextAnswer(meanwhile: () => Promise<unknown> = async () => {}, path = ''): void {
  onNextCommit(path, async (commit) => {
    await commit();
    await meanwhile();
    throw connectionCut();
  });
}

/** Cuts the connection, after `meanwhile`, before the next commit is sent. The client then repeats a transaction. */
export function loseNextCommit(meanwhile: () => Promise<unknown>): void {
  onNextCommit('', async () => {
    await meanwhile();
    throw connectionCut();
  });
}

function connectionCut(): Error {
  return Object.assign(new Error('The connection was cut'), { code: 14 });
}

/**
 * Sends the next commit twice, as the client does after losing the response to a write outside of a transaction. The
 * repeat finds what the first one wrote.
 */
export function repeatNextCommit(path = ''): void {
  onNextCommit(path, async (commit) => {
    await commit();
    return commit();
  });
}

/** Waits for `meanwhile` before the next commit is sent. If that never ends, the commit's process is as good as dead. */
export function holdNextCommit(meanwhile: () => Promise<unknown>, path = ''): void {
  onNextCommit(path, async (commit) => {
    await meanwhile();
    return commit();
  });
}

/** Runs `instead` in place of the next commit. */
function onNextCommit(path: string, instead: (commit: () => Promise<unknown>) => Promise<unknown>): void {
  const client = Firestore.prototype as unknown as { request: Request };
  const request = client.request;
  let isNext = true;
  vi.spyOn(client, 'request').mockImplementation(async function (this: Firestore, method, ...rest) {
    const commit = () => request.call(this, method, ...rest);
    if (method !== 'commit' || !isNext || !JSON.stringify(rest[0]).includes(path)) return commit();
    isNext = false;
    return instead(commit);
  });
}
