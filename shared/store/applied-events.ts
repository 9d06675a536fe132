/**
 * Consumed events whose effect spans many patients and is complete: one that comes again, perhaps after later
 * events have undone it, must find nothing left to do.
 */
import { Timestamp, type Firestore, type Transaction } from '@google-cloud/firestore';
import type { Instant } from '../platform/clock.ts';
import { translated } from './firestore.ts';

/** Longer than any topic keeps an event that could come again. */
const KEPT_MS = 90 * 24 * 3600 * 1000;

function eventDoc(db: Firestore, eventId: string) {
  return db.collection('applied_events').doc(eventId);
}

/** @throws ServiceError `store.unavailable` */
export async function isApplied(db: Firestore, eventId: string): Promise<boolean> {
  return (await translated(() => eventDoc(db, eventId).get())).exists;
}

/** {@link isApplied} within a transaction, which then cannot commit beside another process's last step. */
export async function isAppliedWithin(
  db: Firestore,
  transaction: Transaction,
  eventId: string,
): Promise<boolean> {
  return (await transaction.get(eventDoc(db, eventId))).exists;
}

/** Notes that nothing is left to do for the event. @throws ServiceError `store.*` */
export async function noteApplied(db: Firestore, eventId: string, now: Instant): Promise<void> {
  const expires = Timestamp.fromMillis(now.epochMilliseconds + KEPT_MS);
  await translated(() => eventDoc(db, eventId).set({ expires_at: expires }));
}
