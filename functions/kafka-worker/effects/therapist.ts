/**
 * Applies the blocking and unblocking of a therapist to their patients, page by page, with one transaction for each
 * patient. After a crash the event's next delivery does the rest. Patients who cannot be changed are noted, and a replay
 * visits only those. An event has no further effect once it is complete or a later event of its therapist was applied.
 */
import type { DocumentSnapshot, Firestore, Query } from '@google-cloud/firestore';
import pLimit from 'p-limit';
import { therapistEventPayloads } from '../../../shared/events/consumed-events.ts';
import type { ForeignEnvelope } from '../../../shared/events/envelope.ts';
import { blockTherapist, unblockTherapist, type ChangeResult } from '../../../shared/patient/change.ts';
import { patientId, therapistId, type Patient, type TherapistId } from '../../../shared/patient/schema.ts';
import type { Clock, Instant } from '../../../shared/platform/clock.ts';
import { isServiceError, ServiceError } from '../../../shared/platform/errors.ts';
import { errorFields, type Log, type LogFields } from '../../../shared/platform/log.ts';
import { isDueWithin, noteApplied, takeTurn, type EventState } from '../../../shared/store/applied-events.ts';
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

export function therapistEffect(db: Firestore, clock: Clock, log: Log): Effect {
  return {
    types: Object.keys(therapistEventPayloads),
    async apply(event) {
      const type = event.eventType as TherapistEvent;
      const therapist = therapistOf(event);
      const parsed = therapistEventPayloads[type].safeParse(event.payload);
      const state =
        therapist === undefined
          ? undefined
          : await takeTurn(db, event.eventId, therapist, parsed.success, clock());
      if (!parsed.success || state === undefined || therapist === undefined) {
        throw new ServiceError('event.invalid_payload');
      }
      if (state.isComplete) return { outcome: 'duplicate', therapistId: therapist };
      const note = (left: Iterable<string>) => noteApplied(db, event.eventId, state.turn, [...left], clock());
      if (state.isOutdated) {
        await note([]);
        return { outcome: 'outdated', therapistId: therapist };
      }
      const { change, concerned } = reactions[type];
      const { visited, failures } = await changeAll(concerned(db, therapist, PAGE), state, (id) =>
        changeOne(db, clock, id, event.eventId, therapist, change),
      );
      await note(failures.keys());
      if (failures.size > 0)
        throw someLeft(failures, log, { event_id: event.eventId, therapist_id: therapist });
      return { outcome: 'applied', therapistId: therapist, count: visited };
    },
  };
}

/** The event's therapist, even if the rest of the payload breaks its schema: the event takes its turn in any case. */
function therapistOf({ payload }: ForeignEnvelope): TherapistId | undefined {
  return therapistId.safeParse((payload as { therapist_id?: unknown } | null)?.therapist_id).data;
}

interface Round {
  readonly visited: number;
  /** Why a patient could not be changed, by document id. */
  readonly failures: ReadonlyMap<string, unknown>;
}

/**
 * Visits every patient concerned once, or only those left over from an earlier delivery. A patient who cannot be changed
 * does not stop the others.
 * @throws ServiceError the first transient failure, after all were visited
 */
async function changeAll(
  concerned: Query,
  { left }: EventState,
  change: (id: string) => Promise<void>,
): Promise<Round> {
  const limit = pLimit(AT_ONCE);
  const failures = new Map<string, unknown>();
  let visited = 0;
  for await (const page of left === undefined ? pages(concerned) : [left]) {
    await Promise.all(
      page.map((id) =>
        limit(async () => {
          try {
            await change(id);
          } catch (error) {
            failures.set(id, error);
          }
        }),
      ),
    );
    visited += page.length;
  }
  const transient = [...failures.values()].find((error) => isServiceError(error) && error.retriable);
  if (transient !== undefined) throw transient;
  return { visited, failures };
}

/** A patient who was erased meanwhile needs no change. */
async function changeOne(
  db: Firestore,
  clock: Clock,
  docId: string,
  eventId: string,
  therapist: TherapistId,
  change: (patient: Patient, therapist: TherapistId, now: Instant) => ChangeResult,
): Promise<void> {
  const now = clock();
  const id = patientId.parse(Number(docId));
  try {
    await inTurn([patientDoc(db, id)], () =>
      inTransaction(db, async (transaction) => {
        if (!(await isDueWithin(db, transaction, eventId, therapist))) return;
        await updatePatientWithin(db, transaction, id, now, ({ patient }) => change(patient, therapist, now));
      }),
    );
  } catch (error) {
    if (!isServiceError(error, 'patient.not_found')) throw error;
  }
}

/** At most this many patients are named in the log and in the dead letter. */
const NAMED = 10;

function someLeft(failures: ReadonlyMap<string, unknown>, log: Log, fields: LogFields): ServiceError {
  const named = [...failures].slice(0, NAMED);
  for (const [id, error] of named) {
    log.error('An event of a therapist could not be applied to a patient', {
      ...fields,
      patient_id: Number(id),
      ...errorFields(error),
    });
  }
  const more = failures.size > NAMED ? ` and ${failures.size - NAMED} more` : '';
  return new ServiceError('event.patients_left', {
    detail: `The event could not be applied to patient ${named.map(([id]) => id).join(', ')}${more}`,
    cause: named[0]?.[1],
  });
}

/** The ids of the found documents, page by page. */
async function* pages(query: Query): AsyncGenerator<readonly string[]> {
  let after: DocumentSnapshot | undefined;
  do {
    const from = after === undefined ? query : query.startAfter(after);
    const { docs } = await translated(() => from.get());
    if (docs.length > 0) yield docs.map(({ id }) => id);
    after = docs.at(-1);
  } while (after !== undefined);
}
