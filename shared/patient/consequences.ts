/**
 * What a change of a patient causes outside the patient's own document: events for other services, and mails
 * (docs/domain.md#what-a-change-causes). Pure: derived from the patient before and after. The store writes it
 * together with the change.
 */
import { changedFields, type Patient, type PatientId, type TherapistId } from './schema.ts';
import type { Exclusion } from './values.ts';

/** What a change causes. */
export interface Consequences {
  /** In the order in which they are numbered; empty when nothing changed. */
  readonly events: readonly PatientEvent[];
  readonly mails: readonly Mail[];
}

/** An event without envelope and number; `payload` follows the contract. */
export type PatientEvent =
  | { readonly type: 'patient.created' | 'patient.updated'; readonly payload: PatientData }
  | {
      readonly type: 'patient.status_changed';
      readonly payload: PatientData & {
        readonly old_status: Patient['status'];
        readonly new_status: Patient['status'];
      };
    }
  | {
      readonly type: 'patient.therapist_excluded';
      readonly payload: {
        readonly patient_id: PatientId;
        readonly therapist_id: TherapistId;
        readonly reason?: string;
      };
    }
  | {
      readonly type: 'patient.deleted';
      readonly payload: {
        readonly patient_id: PatientId;
        readonly id: PatientId;
        readonly additional_data: { readonly id: PatientId };
      };
    };

interface PatientData {
  readonly patient_id: PatientId;
  readonly patient_data: Patient;
}

/** A mail request for the communication service, which must receive it once. */
export interface Mail {
  readonly path: '/api/emails' | '/api/system-messages';
  readonly body: Readonly<Record<string, string | number | boolean>>;
  /** Idempotency key, made from the cause's id: the receiver answers a repeated key with the same mail. */
  readonly idempotencyKey: string;
}

/** The consequences of a change that changes nothing. */
export const NOTHING: Consequences = { events: [], mails: [] };

/**
 * What a registration causes. The mail that confirms a registration file depends on the other mails to its address that
 * day: shared/registration/mail-limit.ts adds it.
 * @param first the patient before the search was started
 */
export function causedByRegistration(first: Patient, patient: Patient): Consequences {
  return {
    events: [
      { type: 'patient.created', payload: data(patient) },
      ...statusChanged(first, patient),
      ...therapistsExcluded([], patient),
    ],
    mails: [],
  };
}

/** What a change of a registered patient causes. */
export function causedByChange(before: Patient, after: Patient): Consequences {
  return {
    events: [
      ...updated(before, after),
      ...statusChanged(before, after),
      ...therapistsExcluded(before.ausgeschlossene_therapeuten, after),
    ],
    mails: [],
  };
}

/** Publishes a patient's state again. */
export function causedByRestating(patient: Patient): Consequences {
  return { events: [{ type: 'patient.updated', payload: data(patient) }], mails: [] };
}

/** The one event of an erasure. It holds ids only, so it can outlive the person's data. */
export function causedByErasure(id: PatientId): Consequences {
  const payload = { patient_id: id, id, additional_data: { id } };
  return { events: [{ type: 'patient.deleted', payload }], mails: [] };
}

function updated(before: Patient, after: Patient): PatientEvent[] {
  const changed = changedFields(before, after).some((name) => name !== 'status');
  return changed ? [{ type: 'patient.updated', payload: data(after) }] : [];
}

function statusChanged(before: Patient, after: Patient): PatientEvent[] {
  if (before.status === after.status) return [];
  const statuses = { old_status: before.status, new_status: after.status };
  return [
    { type: 'patient.status_changed', payload: { patient_id: after.id, ...statuses, patient_data: after } },
  ];
}

function therapistsExcluded(before: readonly Exclusion[], after: Patient): PatientEvent[] {
  const known = new Set(before.map((exclusion) => exclusion.id));
  return after.ausgeschlossene_therapeuten
    .filter((exclusion) => !known.has(exclusion.id))
    .map(({ id, reason }) => ({
      type: 'patient.therapist_excluded',
      payload: { patient_id: after.id, therapist_id: id, ...(reason === undefined ? {} : { reason }) },
    }));
}

function data(patient: Patient): PatientData {
  return { patient_id: patient.id, patient_data: patient };
}
