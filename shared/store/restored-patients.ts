/**
 * Brings one patient of a restored database in line with their published events: the event number, the waiting events
 * and an erasure in progress. It may be repeated: steps that are done are found done.
 */
import type { Firestore, QueryDocumentSnapshot } from '@google-cloud/firestore';
import type { PatientId } from '../patient/schema.ts';
import { erasureDoc, type Erasure } from './erasures.ts';
import { inTransaction } from './firestore.ts';
import { patientEntriesQuery } from './outbox.ts';
import { patientDoc } from './patients.ts';

/** What the topic holds of a patient, and which of the waiting events were published. */
export interface PublishedState {
  /** The highest published sequence number, 0 for none. */
  readonly last: number;
  /** Numbers to skip above the known ones when the topic no longer holds all events of the lost time. */
  readonly margin: number;
  /** True when `patient.deleted` was published. */
  readonly deleted: boolean;
  /** True when the waiting event was published too: sending it again would be an exact repeat. */
  isPublished(eventId: string): boolean;
  /** True when the waiting event was certainly not published: it needs a new number if its own is taken. */
  isUnpublished(eventId: string): boolean;
}

/** What a repair did to one patient. */
export interface Repair {
  readonly raised: boolean;
  /** Number of waiting events removed because they were already published. */
  readonly removed: number;
  /** Number of waiting events that got a new number because another event had theirs. */
  readonly renumbered: number;
}

/** @throws ServiceError `store.*` */
export async function repairPatient(
  db: Firestore,
  id: PatientId,
  published: PublishedState,
): Promise<Repair> {
  // Kept across all runs: after a lost answer the next run has nothing to do, and must not start from its own new numbers.
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
      // The keys keep their order, so only the number in the message changes.
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
