/**
 * Finds what a restored database has missed since its backup. Pure: the topic's events and the stored patients are passed
 * in one by one, and only numbers are kept of each patient.
 */
import type { PatientId } from '../../shared/patient/schema.ts';
import type { WaitingEvent } from '../../shared/store/outbox-backlog.ts';
import type { PublishedState } from '../../shared/store/restored-patients.ts';
import type { PublishedEvent } from '../../shared/events/reconcile.ts';
import type { Reach } from './published.ts';

/** The facts known before the topic is read. */
export interface SurveyInput {
  /** Events in the outbox. */
  readonly waiting: readonly WaitingEvent[];
  /** Ids in the ledger of erasures. */
  readonly ledger: ReadonlySet<number>;
  /** Patients whose erasure is under way in the database. */
  readonly jobs: readonly PatientId[];
  /** False when the copy was made in the last minute before the worker ended, or when there was no restore. */
  readonly fenced: boolean;
}

export interface Findings {
  readonly highestId: number;
  /** Patients for whom the topic holds a number above the stored one, or above that of a waiting event. */
  readonly behind: readonly PatientId[];
  /** Patients who were erased and exist again, or whose erasure is under way. */
  readonly erased: readonly PatientId[];
  /** Patients who were published but are not in the database: they registered after the backup. */
  readonly lost: readonly number[];
}

export interface Survey {
  addEvent(event: PublishedEvent): void;
  /** Call it after the topic has been read. */
  addPatient(id: PatientId, sequence: number): void;
  /**
   * Whether the topic has every event since the backup. A topic that was deleted and created again looks as if it had
   * never lost anything, but lacks patients whom the backup knows.
   * @param snapshotAt time of the backup in milliseconds since the epoch
   */
  isCovered(reach: Reach, snapshotAt: number | undefined): boolean;
  /** @param everyone true when the topic no longer reaches back far enough to tell which patients are behind */
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
  const waitingFor = new Set(waiting.map(({ patientId }) => patientId));
  let lacksPatients = false;
  let highestId = Math.max(0, ...jobs);
  for (const id of ledger) highestId = Math.max(highestId, id);

  const lastOf = (id: number) => last.get(id) ?? 0;
  const isErased = (id: number) => ledger.has(id) || deleted.has(id);
  /** In a running service, a published event stays in the outbox for a moment until the relay removes it. */
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
      if (!last.has(id) && !waitingFor.has(id)) lacksPatients = true;
      highestId = Math.max(highestId, id);
    },
    isCovered({ complete, since }, snapshotAt) {
      if (complete) return !lacksPatients;
      return snapshotAt !== undefined && since !== undefined && since <= snapshotAt;
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
      // A fenced database relays nothing, so events that entered the outbox since then are not published either.
      isUnpublished: (eventId) => !published.has(eventId) && (fenced || waitingIds.has(eventId)),
    }),
  };
}
