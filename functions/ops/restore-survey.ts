/**
 * What a restored database must be told of the time that it has lost. Pure: the topic's events and the stored patients
 * go in one by one, and of each patient only numbers are kept.
 */
import type { PatientId } from '../../shared/patient/schema.ts';
import type { WaitingEvent } from '../../shared/store/outbox-backlog.ts';
import type { PublishedState } from '../../shared/store/restored-patients.ts';
import type { PublishedEvent } from '../../shared/events/reconcile.ts';

/** What is known before the topic is read. */
export interface SurveyInput {
  /** The events in the outbox. */
  readonly waiting: readonly WaitingEvent[];
  /** Ids in the ledger of erasures. */
  readonly ledger: ReadonlySet<number>;
  /** Patients whose erasure is under way in the database. */
  readonly jobs: readonly PatientId[];
  /** False: the copy was made in the very minute before the worker ended, or there was no restore. */
  readonly fenced: boolean;
}

export interface Findings {
  readonly highestId: number;
  /** Patients whose number, or whose waiting events, the topic has overtaken. */
  readonly behind: readonly PatientId[];
  /** Patients who were erased and are there again, or whose erasure is under way. */
  readonly erased: readonly PatientId[];
  /** Patients who were published and are not there: registered after the backup. */
  readonly lost: readonly number[];
}

export interface Survey {
  addEvent(event: PublishedEvent): void;
  /** Called when the topic has been read. */
  addPatient(id: PatientId, sequence: number): void;
  /** @param everyone true when the topic no longer tells whose numbers it has overtaken */
  conclude(everyone: boolean): Findings;
  publishedOf(id: PatientId, margin: number): PublishedState;
}

export function createSurvey({ waiting, ledger, jobs, fenced }: SurveyInput): Survey {
  const waitingIds = new Set(waiting.map(({ eventId }) => eventId));
  const last = new Map<number, number>();
  const deleted = new Set<number>();
  const published = new Set<string>();
  const stored = new Set<PatientId>();
  const behind = new Set<PatientId>();
  let highestId = Math.max(0, ...jobs);
  for (const id of ledger) highestId = Math.max(highestId, id);

  const lastOf = (id: number) => last.get(id) ?? 0;
  const isErased = (id: number) => ledger.has(id) || deleted.has(id);
  /** In a service that runs, a published event waits for a moment until the relay has removed it. */
  const isOvertaken = ({ eventId, patientId, sequence }: WaitingEvent) =>
    published.has(eventId) ? fenced : sequence <= lastOf(patientId);

  return {
    addEvent({ patientId, sequence, eventId, eventType }) {
      last.set(patientId, Math.max(lastOf(patientId), sequence));
      if (eventType === 'patient.deleted') deleted.add(patientId);
      if (waitingIds.has(eventId)) published.add(eventId);
      highestId = Math.max(highestId, patientId);
    },
    addPatient(id, sequence) {
      stored.add(id);
      if (sequence < lastOf(id)) behind.add(id);
      highestId = Math.max(highestId, id);
    },
    conclude(everyone) {
      for (const event of waiting) if (isOvertaken(event)) behind.add(event.patientId);
      if (everyone) for (const id of stored) behind.add(id);
      if (fenced) for (const id of jobs) behind.add(id);
      const there = new Set<number>([...stored, ...jobs]);
      return {
        highestId,
        behind: [...behind],
        erased: [...[...stored].filter(isErased), ...(fenced ? jobs : [])],
        lost: [...last.keys()].filter((id) => !isErased(id) && !there.has(id)).sort((a, b) => a - b),
      };
    },
    publishedOf: (id, margin) => ({
      last: lastOf(id),
      margin,
      deleted: deleted.has(id),
      isPublished: (eventId) => published.has(eventId),
      // A fenced database relays nothing, so what came into the outbox since was not published either.
      isUnpublished: (eventId) => !published.has(eventId) && (fenced || waitingIds.has(eventId)),
    }),
  };
}
