/**
 * In which order a therapist's events came, and which of them was the last to be applied. An event has its turn from its
 * first delivery, whatever becomes of it then: a replay is no newer than it was. Turns are counted and not read off
 * the events' timestamps, which may be equal or of different clocks, nor off offsets, which begin anew with their topic.
 */
import type { Firestore, Transaction } from '@google-cloud/firestore';
import type { TherapistId } from '../patient/schema.ts';

/** The order of a therapist's events. */
export interface TherapistTurns {
  /** Turn of the event that came last; 0 before the first. */
  readonly last: number;
  /** Highest turn that was begun to be applied. */
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
