/**
 * What blocking and unblocking a therapist does to their patients (DOMAIN 3), however many: page by page, one
 * transaction for each patient. A crash leaves the rest to the event's next delivery; an event that is complete
 * is noted, so that a late repeat does not undo what came after it.
 */
import type { DocumentSnapshot, Firestore, Query } from '@google-cloud/firestore';
import pLimit from 'p-limit';
import { therapistEventPayloads } from '../../../shared/events/consumed-events.ts';
import type { ForeignEnvelope } from '../../../shared/events/envelope.ts';
import { blockTherapist, unblockTherapist, type ChangeResult } from '../../../shared/patient/change.ts';
import { patientId, type Patient, type PatientId, type TherapistId } from '../../../shared/patient/schema.ts';
import type { Clock, Instant } from '../../../shared/platform/clock.ts';
import { isServiceError, ServiceError } from '../../../shared/platform/errors.ts';
import { isApplied, isAppliedWithin, noteApplied } from '../../../shared/store/applied-events.ts';
import { inTransaction, translated } from '../../../shared/store/firestore.ts';
import {
  assignedPatientsQuery,
  blockedPatientsQuery,
  patientDoc,
  updatePatientWithin,
} from '../../../shared/store/patients.ts';
import { inTurn } from '../../../shared/store/turns.ts';
import type { Effect } from './effect.ts';

type TherapistEvent = keyof typeof therapistEventPayloads;

const PAGE = 100;
const AT_ONCE = 8;

const reactions = {
  'therapist.blocked': { concerned: assignedPatientsQuery, change: blockTherapist },
  'therapist.unblocked': { concerned: blockedPatientsQuery, change: unblockTherapist },
} as const satisfies Record<TherapistEvent, unknown>;

export function therapistEffect(db: Firestore, clock: Clock): Effect {
  return {
    types: Object.keys(therapistEventPayloads),
    async apply(event) {
      const type = event.eventType as TherapistEvent;
      const parsed = therapistEventPayloads[type].safeParse(event.payload);
      if (!parsed.success) throw new ServiceError('event.invalid_payload');
      const therapistId = parsed.data.therapist_id;
      if (await isApplied(db, event.eventId)) return { outcome: 'duplicate', therapistId };
      const count = await changeAll(db, clock, type, therapistId, event);
      await noteApplied(db, event.eventId, clock());
      return { outcome: 'applied', therapistId, count };
    },
  };
}

/**
 * Visits every patient concerned once; one whose change is refused does not keep the others from theirs.
 * @returns how many were visited
 * @throws the first failure, transient before permanent
 */
async function changeAll(
  db: Firestore,
  clock: Clock,
  type: TherapistEvent,
  therapist: TherapistId,
  event: ForeignEnvelope,
): Promise<number> {
  const limit = pLimit(AT_ONCE);
  const failures: unknown[] = [];
  const { concerned, change } = reactions[type];
  let visited = 0;
  for await (const page of pages(concerned(db, therapist, PAGE))) {
    const results = await Promise.allSettled(
      page.map((doc) =>
        limit(() =>
          changeOne(db, clock, patientId.parse(Number(doc.id)), event.eventId, (patient, now) =>
            change(patient, therapist, now),
          ),
        ),
      ),
    );
    visited += page.length;
    failures.push(...results.filter((result) => result.status === 'rejected').map(({ reason }) => reason));
  }
  const worst = failures.find((error) => isServiceError(error) && error.retriable) ?? failures[0];
  if (worst !== undefined) throw worst;
  return visited;
}

/** A patient who was erased meanwhile needs no change. */
async function changeOne(
  db: Firestore,
  clock: Clock,
  id: PatientId,
  eventId: string,
  change: (patient: Patient, now: Instant) => ChangeResult,
): Promise<void> {
  const now = clock();
  try {
    await inTurn(patientDoc(db, id), () =>
      inTransaction(db, async (transaction) => {
        if (await isAppliedWithin(db, transaction, eventId)) return;
        await updatePatientWithin(db, transaction, id, now, ({ patient }) => change(patient, now));
      }),
    );
  } catch (error) {
    if (!isServiceError(error, 'patient.not_found')) throw error;
  }
}

async function* pages(query: Query): AsyncGenerator<DocumentSnapshot[]> {
  let after: DocumentSnapshot | undefined;
  do {
    const from = after === undefined ? query : query.startAfter(after);
    const { docs } = await translated(() => from.get());
    if (docs.length > 0) yield docs;
    after = docs.at(-1);
  } while (after !== undefined);
}
