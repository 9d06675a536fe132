/**
 * Progress of consumed events that concern many patients: the event's turn among the events of its therapist, whether
 * it is complete, and which patients are left. A redelivered event must not undo the effect of later events.
 */
import type { Timestamp, CollectionReference, Firestore, Transaction } from '@google-cloud/firestore';
import type { TherapistId } from '../patient/schema.ts';
import type { Instant } from '../platform/clock.ts';
import { inTransaction, translated } from './firestore.ts';
import { expiryOf } from './kept-days.ts';
import { readTurnsWithin, writeTurns } from './therapist-turns.ts';

/** When more patients than this are left, they are not stored one by one: a replay then visits all patients concerned. */
const MAX_LEFT = 1000;

/** How far one therapist event has been applied. */
export interface EventState {
  /** Place among the events of the therapist, from 1, by first delivery. */
  readonly turn: number;
  readonly isComplete: boolean;
  /** A later event of the therapist was applied. */
  readonly isOutdated: boolean;
  /** Document ids of the patients still to be changed; undefined: all patients whom the event concerns. */
  readonly left: readonly string[] | undefined;
}

/** Documents written before December 2026 have no `turn`; they are complete. */
interface Stored {
  readonly turn?: number;
  readonly complete?: boolean;
  readonly left?: readonly string[];
  readonly expires_at: Timestamp;
}

/** The collection `applied_events`. */
export function appliedEventDocs(db: Firestore): CollectionReference {
  return db.collection('applied_events');
}

function eventDoc(db: Firestore, eventId: string) {
  return appliedEventDocs(db).doc(eventId);
}

/**
 * Gives an event its turn on the first call; later calls return the same turn.
 * @param isReadable false for an event that cannot be applied now, but may be when it is replayed
 * @throws ServiceError `store.*`
 */
export function takeTurn(
  db: Firestore,
  eventId: string,
  therapist: TherapistId,
  isReadable: boolean,
  now: Instant,
): Promise<EventState> {
  return inTransaction<EventState>(db, async (transaction) => {
    const snapshot = await transaction.get(eventDoc(db, eventId));
    const turns = await readTurnsWithin(db, transaction, therapist);
    const known = stateOf(snapshot.data() as Stored | undefined);
    const state = known ?? { turn: turns.last + 1, isComplete: false };
    const applied = isReadable && !state.isComplete ? Math.max(turns.applied, state.turn) : turns.applied;
    const last = Math.max(turns.last, state.turn);
    if (last !== turns.last || applied !== turns.applied)
      writeTurns(db, transaction, therapist, { last, applied });
    if (known === undefined) transaction.set(eventDoc(db, eventId), stored(state, now));
    return { left: undefined, ...state, isOutdated: state.turn < applied };
  });
}

/**
 * True when the event is still to be applied: it is not complete, and no later one of its therapist was applied. Since
 * the transaction reads both, it cannot commit if the event is completed or a later event is applied concurrently.
 */
export async function isDueWithin(
  db: Firestore,
  transaction: Transaction,
  eventId: string,
  therapist: TherapistId,
): Promise<boolean> {
  const snapshot = await transaction.get(eventDoc(db, eventId));
  const { applied } = await readTurnsWithin(db, transaction, therapist);
  const state = stateOf(snapshot.data() as Stored | undefined);
  return state !== undefined && !state.isComplete && state.turn >= applied;
}

/** Stores which patients are left for the event; it is complete when none is. @throws ServiceError `store.*` */
export async function noteApplied(
  db: Firestore,
  eventId: string,
  turn: number,
  left: readonly string[],
  now: Instant,
): Promise<void> {
  const state = { turn, isComplete: left.length === 0, ...(left.length > MAX_LEFT ? {} : { left }) };
  await translated(() => eventDoc(db, eventId).set(stored(state, now)));
}

type Progress = Pick<EventState, 'turn' | 'isComplete'> & Partial<Pick<EventState, 'left'>>;

function stateOf(data: Stored | undefined): Progress | undefined {
  if (data === undefined) return undefined;
  return { turn: data.turn ?? 0, isComplete: data.complete ?? true, left: data.left };
}

function stored({ turn, isComplete, left }: Progress, now: Instant): Stored {
  return {
    turn,
    complete: isComplete,
    ...(left === undefined || isComplete ? {} : { left }),
    expires_at: expiryOf('appliedEvents', now),
  };
}
