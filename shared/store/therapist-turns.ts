/**
 * The order in which a therapist's events arrived, and which was applied last. An event keeps the turn of its first
 * delivery, so a replay does not become newer. Turns are counted: timestamps may be equal or come from different
 * clocks, and offsets start again when the topic is recreated.
 */
import type { Firestore, Transaction } from '@google-cloud/firestore';
import type { TherapistId } from '../patient/schema.ts';

/** The order of a therapist's events. */
export interface TherapistTurns {
  /** Turn of the event that arrived last; 0 before the first. */
  readonly last: number;
  /** Highest turn whose application was started. */
  readonly applied: number;
}

function turnsDoc(db: Firestore, therapist: TherapistId) {
  return db.collection('therapist_turns').doc(String(therapist));
}

/** Reads the turns within a transaction; zeros before the first event. */
export async function readTurnsWithin(
  db: Firestore,
  transaction: Transaction,
  therapist: TherapistId,
): Promise<TherapistTurns> {
  const snapshot = await transaction.get(turnsDoc(db, therapist));
  return (snapshot.data() as TherapistTurns | undefined) ?? { last: 0, applied: 0 };
}

/** Writes the turns within the transaction that read them. */
export function writeTurns(
  db: Firestore,
  transaction: Transaction,
  therapist: TherapistId,
  turns: TherapistTurns,
): void {
  transaction.set(turnsDoc(db, therapist), turns);
}
