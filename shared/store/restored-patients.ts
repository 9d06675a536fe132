/**
 * Brings one patient of a restored database in line with what was published of them: their event number, the events
 * that wait, and an erasure under way. What is done already is found done, so it may be repeated.
 */
import type { Firestore, QueryDocumentSnapshot } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import { erasureDoc, type Erasure } from './erasures.ts';
import { inTransaction } from './firestore.ts';
import { patientEntriesQuery } from './outbox.ts';
import { patientDoc } from './patients.ts';

/** What the topic holds of a patient, and of which waiting events it was asked. */
export interface PublishedState {
  /** The highest number that was ever published, 0 for none. */
  readonly last: number;
  /** Numbers left out above what is known, where the topic no longer holds all of the lost time. */
  readonly margin: number;
  /** `patient.deleted` was published. */
  readonly deleted: boolean;
  /** The waiting event was published too: sending it again would be an exact repeat. */
  isPublished(eventId: string): boolean;
  /** The waiting event was surely not published, so a number that is taken must be exchanged. */
  isUnpublished(eventId: string): boolean;
}

/** What a repair did to one patient. */
export interface Repair {
  readonly raised: boolean;
  /** Waiting events that were published already, and are removed. */
  readonly removed: number;
  /** Waiting events whose number was taken by another, and which have a new one. */
  readonly renumbered: number;
}

/** @throws ServiceError `store.*` */
export async function repairPatient(
  db: Firestore,
  id: PatientId,
  published: PublishedState,
): Promise<Repair> {
  // Kept over all runs: one whose answer was lost leaves nothing to do, and must not begin behind its own numbers.
  const done = { raised: false, removed: new Set<string>(), renumbered: new Set<string>() };
  let from: number | undefined;
  await inTransaction(db, async (transaction) => {
    const [patient, job] = await transaction.getAll(patientDoc(db, id), erasureDoc(db, id));
    const waiting = await transaction.get(patientEntriesQuery(db, id));
    const stored = patient?.get('_meta.sequence') as number | undefined;
    from ??=
      published.margin === 0 ? published.last : Math.max(published.last, stored ?? 0) + published.margin;
    const { removed, renumbered, last } = numbered(waiting.docs, from, published);
    for (const entry of removed) {
      transaction.delete(entry.ref);
      done.removed.add(entry.id);
    }
    for (const [entry, sequence] of renumbered) {
      done.renumbered.add(entry.id);
      const envelope = JSON.parse(entry.get('envelope') as string) as object;
      // The keys keep their places, so the message differs in its number alone.
      transaction.update(entry.ref, { sequence, envelope: JSON.stringify({ ...envelope, sequence }) });
    }
    const raised = stored !== undefined && stored < last;
    done.raised ||= raised;
    if (raised) transaction.update(patientDoc(db, id), { '_meta.sequence': last });
    const erasure = job?.data() as Erasure | undefined;
    if (erasure !== undefined && !erasure.announced && (erasure.sequence < last || published.deleted)) {
      const sequence = Math.max(erasure.sequence, last);
      transaction.update(erasureDoc(db, id), { sequence, announced: published.deleted });
    }
  });
  return { raised: done.raised, removed: done.removed.size, renumbered: done.renumbered.size };
}

function numbered(waiting: readonly QueryDocumentSnapshot[], from: number, published: PublishedState) {
  const removed: QueryDocumentSnapshot[] = [];
  const renumbered: [QueryDocumentSnapshot, number][] = [];
  const sequenceOf = (entry: QueryDocumentSnapshot) => entry.get('sequence') as number;
  let last = from;
  const events = waiting.filter((entry) => entry.get('kind') === 'kafka');
  for (const entry of events.sort((a, b) => sequenceOf(a) - sequenceOf(b))) {
    if (published.isPublished(entry.id)) {
      removed.push(entry);
    } else if (sequenceOf(entry) > last) {
      last = sequenceOf(entry);
    } else if (published.isUnpublished(entry.id)) {
      last += 1;
      renumbered.push([entry, last]);
    }
  }
  return { removed, renumbered, last };
}
