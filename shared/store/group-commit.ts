/**
 * Group commit: independent writes that become ready in the same turn of the event loop share one request to Firestore,
 * since a request costs far more than a document in it. No write waits for an earlier request, so a lone one is as fast as
 * without a group.
 */
import type {
  DocumentData,
  DocumentReference,
  Firestore,
  Precondition,
  WriteBatch,
} from '@google-cloud/firestore';
import { isServiceError } from '../platform/errors.ts';
import { translated, type Writer } from './firestore.ts';

/** Takes the operations of one write. */
export interface GroupWriter extends Writer {
  /** Fails the write when the document does not exist. */
  update(doc: DocumentReference, data: DocumentData, ...precondition: [Precondition?]): unknown;
}

interface Waiting {
  readonly characters: number;
  readonly paths: readonly string[];
  readonly operations: readonly ((batch: WriteBatch) => void)[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Writes per request. */
const AT_MOST = 10;
/**
 * Text of a request of several writes. Patients are stored with events of about their own size, so it stays below the
 * 4 MiB that the emulator takes; Firestore takes 10 MiB.
 */
const AT_MOST_CHARACTERS = 512 * 1024;

const ready = new WeakMap<Firestore, Waiting[]>();

/**
 * Commits one write, atomically, and together with others that are ready. If the common commit is refused, each write is
 * committed by itself, so that none is refused because of another.
 * @param fill adds the operations of the write
 * @throws ServiceError `store.unavailable`, `store.contention`; Firestore's own error if a precondition of this write fails
 */
export function commitTogether(db: Firestore, fill: (writer: GroupWriter) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const waiting: Waiting = { ...recorded(fill), resolve, reject };
  const others = ready.get(db);
  if (others === undefined) begin(db, waiting);
  else others.push(waiting);
  return promise;
}

function recorded(fill: (writer: GroupWriter) => void): Pick<Waiting, 'characters' | 'paths' | 'operations'> {
  let characters = 0;
  const paths: string[] = [];
  const operations: ((batch: WriteBatch) => void)[] = [];
  const add = (doc: DocumentReference, operation: (batch: WriteBatch) => void) => {
    paths.push(doc.path);
    operations.push(operation);
  };
  fill({
    create: (doc, data) => {
      characters += charactersOf(data);
      add(doc, (batch) => batch.create(doc, data));
    },
    // With an empty precondition the client would create a missing document.
    update: (doc, data, ...precondition) => add(doc, (batch) => batch.update(doc, data, ...precondition)),
    delete: (doc) => add(doc, (batch) => batch.delete(doc)),
  });
  return { characters, paths, operations };
}

/** Length of the texts of a document, without those in its maps and lists. An event is one text. */
function charactersOf(data: DocumentData): number {
  return Object.values(data).reduce<number>(
    (sum, value) => sum + (typeof value === 'string' ? value.length : 0),
    0,
  );
}

/** Takes in what is ready until the event loop's next turn, and commits it. */
function begin(db: Firestore, first: Waiting): void {
  const waiting = [first];
  ready.set(db, waiting);
  setImmediate(() => {
    ready.delete(db);
    for (const group of groupsOf(waiting)) void settle(db, group);
  });
}

/**
 * Groups of writes in their order. No group writes a document twice: preconditions are meant for one write after another,
 * and a commit might check both against the state before it.
 */
function groupsOf(waiting: readonly Waiting[]): Waiting[][] {
  const groups: Waiting[][] = [];
  let taken = new Set<string>();
  let characters = 0;
  for (const one of waiting) {
    const last = groups.at(-1);
    characters += one.characters;
    const isFull = last?.length === AT_MOST || characters > AT_MOST_CHARACTERS;
    if (last === undefined || isFull || one.paths.some((path) => taken.has(path))) {
      groups.push([one]);
      taken = new Set(one.paths);
      characters = one.characters;
    } else {
      last.push(one);
      for (const path of one.paths) taken.add(path);
    }
  }
  return groups;
}

async function settle(db: Firestore, group: readonly Waiting[]): Promise<void> {
  try {
    await commit(db, group);
    for (const { resolve } of group) resolve();
  } catch (error) {
    // A commit without an answer may have happened. Its callers repeat it anyway, and a second wait would be too long.
    if (group.length === 1 || isServiceError(error, 'store.unavailable')) {
      for (const { reject } of group) reject(error);
    } else await Promise.all(group.map((one) => settle(db, [one])));
  }
}

async function commit(db: Firestore, group: readonly Waiting[]): Promise<void> {
  const batch = db.batch();
  for (const { operations } of group) for (const operation of operations) operation(batch);
  await translated(() => batch.commit());
}
