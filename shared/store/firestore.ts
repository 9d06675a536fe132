/**
 * The Firestore client and the fate of its failures. Every other module of this folder is one collection.
 */
import { Firestore, type Transaction, type WriteBatch } from '@google-cloud/firestore';
import { ServiceError } from '../platform/errors.ts';

/** What a transaction and a batch have in common: writes that happen together or not at all. */
export type Writer = Pick<Transaction, 'create' | 'delete'> | Pick<WriteBatch, 'create' | 'delete'>;

export function connectFirestore(config: { readonly GOOGLE_CLOUD_PROJECT: string }): Firestore {
  return new Firestore({ projectId: config.GOOGLE_CLOUD_PROJECT, ignoreUndefinedProperties: true });
}

const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const FAILED_PRECONDITION = 9;
const ABORTED = 10;

export function isAlreadyExists(error: unknown): boolean {
  return grpcCode(error) === ALREADY_EXISTS;
}

/** A write whose document is gone, or has changed since it was read. */
export function isPreconditionLost(error: unknown): boolean {
  const code = grpcCode(error);
  return code === NOT_FOUND || code === FAILED_PRECONDITION;
}

/**
 * Runs a transaction; Firestore repeats it on contention.
 * @throws ServiceError `store.contention` when the repeats are used up, `store.unavailable` when Firestore is away
 */
export function inTransaction<T>(db: Firestore, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  return translated(() => db.runTransaction(work, { maxAttempts: 20 }));
}

/** Runs a call to Firestore and turns its failure into one of ours, unless it is one already. */
export async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const code = grpcCode(error);
    if (
      error instanceof ServiceError ||
      code === undefined ||
      code === ALREADY_EXISTS ||
      isPreconditionLost(error)
    ) {
      throw error;
    }
    throw new ServiceError(code === ABORTED ? 'store.contention' : 'store.unavailable', { cause: error });
  }
}

/** The gRPC status code, which Firestore's errors carry as a number. */
function grpcCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}
