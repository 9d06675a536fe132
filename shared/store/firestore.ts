/**
 * The Firestore client, and the translation of its failures to ServiceErrors. Every other module here is one
 * collection.
 */
import {
  Firestore,
  type DocumentData,
  type DocumentReference,
  type Query,
  type QuerySnapshot,
  type Timestamp,
  type Transaction,
  type WriteBatch,
} from '@google-cloud/firestore';
import pRetry from 'p-retry';
import { within } from '../platform/deadline.ts';
import { isServiceError, ServiceError } from '../platform/errors.ts';

/** A transaction, a batch or a part of a group commit: writes that happen together or not at all. */
export interface Writer {
  create(doc: DocumentReference, data: DocumentData): unknown;
  delete(doc: DocumentReference): unknown;
}

/** Without keepalive pings, a connection that the network dropped silently seems alive for 15 minutes. */
const KEEPALIVE = { 'grpc.keepalive_time_ms': 30_000, 'grpc.keepalive_timeout_ms': 10_000 };

/**
 * Connects to Firestore. Unpatched, the client retries a commit for 10 minutes, so it could succeed long after the
 * caller was told that it failed. patches/ limits this to 15 s, about when the caller is answered. The limit is not
 * shorter, because an abandoned commit keeps its locks for a minute.
 */
export function connectFirestore(config: { readonly GOOGLE_CLOUD_PROJECT: string }): Firestore {
  const settings = {
    projectId: config.GOOGLE_CLOUD_PROJECT,
    ignoreUndefinedProperties: true,
    // The emulator treats frequent pings as an attack.
    ...(process.env['FIRESTORE_EMULATOR_HOST'] === undefined ? KEEPALIVE : {}),
  };
  return new Firestore(settings);
}

const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const FAILED_PRECONDITION = 9;
const ABORTED = 10;
const UNAVAILABLE = 14;

/** True when a write failed because its document exists. */
export function isAlreadyExists(error: unknown): boolean {
  return grpcCode(error) === ALREADY_EXISTS;
}

/** True when a write failed because its document is gone or has changed since it was read. */
export function isPreconditionLost(error: unknown): boolean {
  const code = grpcCode(error);
  return code === NOT_FOUND || code === FAILED_PRECONDITION;
}

const ATTEMPTS = 20;
/** No attempt and no commit begins after this time. Otherwise the client's 20 attempts could take an hour. */
const BEGIN_WITHIN_MS = 10_000;

/**
 * Runs a transaction. The client runs it again on contention, and also when the answer to a commit was lost: that
 * run may see what an earlier one wrote.
 * @param work gets the results of earlier runs whose commit may have happened, in order. Where it matters, `work` writes
 * something from which a later run can tell which commit happened, and returns that run's result
 * @throws ServiceError `store.contention` when the retries are used up, `store.unavailable` when Firestore is unavailable
 */
export function inTransaction<T>(
  db: Firestore,
  work: (transaction: Transaction, earlier: readonly T[]) => Promise<T>,
): Promise<T> {
  const earlier: T[] = [];
  const begun = performance.now();
  let isAway = false;
  const refuseIfLate = () => {
    if (performance.now() - begun > BEGIN_WITHIN_MS)
      throw new ServiceError(isAway ? 'store.unavailable' : 'store.contention');
  };
  const attempt = async (transaction: Transaction) => {
    refuseIfLate();
    try {
      const result = await work(transaction, [...earlier]);
      refuseIfLate();
      earlier.push(result);
      return result;
    } catch (error) {
      isAway = [UNAVAILABLE, DEADLINE_EXCEEDED].includes(grpcCode(error) ?? 0);
      throw error;
    }
  };
  return translated(() => db.runTransaction(attempt, { maxAttempts: ATTEMPTS }));
}

/**
 * Commits what `work` adds to a batch, and runs it again when a document has changed since it was read. A transaction locks what
 * it reads in the emulator and in databases with pessimistic concurrency, and a killed process leaves its locks for a minute.
 * @param work reads, and adds writes with the preconditions that what it read has not changed
 * @throws ServiceError `store.contention` when the retries are used up, `store.unavailable`; the client's error ALREADY_EXISTS
 */
export function withoutLocks(db: Firestore, work: (batch: WriteBatch) => Promise<void>): Promise<void> {
  const attempt = async () => {
    const batch = db.batch();
    await work(batch);
    try {
      await translated(() => batch.commit());
    } catch (error) {
      if (isPreconditionLost(error)) throw new ServiceError('store.contention', { cause: error });
      throw error;
    }
  };
  return pRetry(attempt, {
    retries: 6,
    minTimeout: 20,
    randomize: true,
    shouldRetry: ({ error }) => isServiceError(error, 'store.contention'),
  });
}

/** Runs queries that all see the same snapshot of the database. @throws ServiceError `store.*` */
export function inSnapshot<T>(
  db: Firestore,
  work: (read: (query: Query) => Promise<QuerySnapshot>) => Promise<T>,
): Promise<T> {
  return translated(() =>
    db.runTransaction((transaction) => work((query) => transaction.get(query)), { readOnly: true }),
  );
}

/** The client itself waits 8 minutes for a document from a server that hangs. */
const ANSWER_WITHIN_MS = 60_000;

/**
 * Runs a call to Firestore and turns an outage into a ServiceError. Other failures pass unchanged: ServiceErrors,
 * failed preconditions and invalid calls.
 */
export async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await within(ANSWER_WITHIN_MS, call(), () => {
      throw new ServiceError('store.unavailable');
    });
  } catch (error) {
    const code = grpcCode(error);
    if (
      error instanceof ServiceError ||
      code === undefined ||
      code === ALREADY_EXISTS ||
      isPreconditionLost(error) ||
      isInvalid(error)
    ) {
      throw error;
    }
    throw new ServiceError(code === ABORTED ? 'store.contention' : 'store.unavailable', { cause: error });
  }
}

/**
 * Firestore also reports a transaction as invalid when it took too long or was committed before. A new one succeeds.
 */
function isInvalid(error: unknown): boolean {
  const isCall = isTooBig(error) || !/transaction/i.test((error as Error).message);
  return grpcCode(error) === INVALID_ARGUMENT && isCall;
}

/** A document to delete. */
export interface Deletion {
  readonly ref: DocumentReference;
  /** Only if it has not been written since. */
  readonly lastUpdateTime?: Timestamp;
}

/**
 * Deletes documents, in halves if one commit is too large: a commit may delete at most 10 MiB, index entries included,
 * and that size is known only by trying.
 */
export async function deleteAll(db: Firestore, deletions: readonly Deletion[]): Promise<void> {
  if (deletions.length === 0) return;
  const batch = db.batch();
  for (const { ref, lastUpdateTime } of deletions) {
    batch.delete(ref, lastUpdateTime === undefined ? {} : { lastUpdateTime });
  }
  try {
    await translated(() => batch.commit());
  } catch (error) {
    if (deletions.length === 1 || !isTooBig(error)) throw error;
    const middle = Math.ceil(deletions.length / 2);
    await deleteAll(db, deletions.slice(0, middle));
    await deleteAll(db, deletions.slice(middle));
  }
}

function isTooBig(error: unknown): boolean {
  return grpcCode(error) === INVALID_ARGUMENT && /too big/i.test((error as Error).message);
}

/** The gRPC status code, which Firestore's errors carry as a number. */
function grpcCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}
