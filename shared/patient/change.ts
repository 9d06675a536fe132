/**
 * What a change does to a patient: the new state and the events it causes (docs/domain.md#start-of-the-search,
 * docs/domain.md#events). Pure: the caller supplies `now` and stores the result; nothing here reads a clock or a
 * database.
 */
import { isDeepStrictEqual } from 'node:util';
import { berlinDateOf, utcTimestamp, type BerlinDate, type Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { mergeExclusions, THERAPIST_BLOCKED } from './exclusions.ts';
import {
  FIELD_NAMES,
  type FieldName,
  type NewPatient,
  type Patient,
  type PatientId,
  type PatientPatch,
  type TherapistId,
  wholePatient,
} from './schema.ts';
import type { Exclusion } from './values.ts';

/** What happened, without envelope and number; `payload` is that of the contract. */
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

export interface ChangeResult {
  readonly patient: Patient;
  /** In the order in which they are numbered; empty when nothing changed, and then `patient` is the one before. */
  readonly events: readonly PatientEvent[];
}

/** A whole patient is at most 256 KiB of JSON. */
const MAX_PATIENT_BYTES = 256 * 1024;

/**
 * A patient's first state.
 * @throws ServiceError `patient.invalid` when the patient is too large or excludes too many therapists at once
 */
export function registerPatient(id: PatientId, input: NewPatient, now: Instant): ChangeResult {
  const at = utcTimestamp(now);
  const given = withoutUndefined(input);
  const first: Patient = wholePatient({
    ...given,
    id,
    ausgeschlossene_therapeuten: mergeExclusions([], input.ausgeschlossene_therapeuten ?? [], now),
    created_at: at,
    updated_at: at,
  });
  const patient = startSearch(first, now);
  refuseTooLarge(patient);
  return {
    patient,
    events: [
      { type: 'patient.created', payload: data(patient) },
      ...statusChanged(first, patient),
      ...therapistsExcluded([], patient),
    ],
  };
}

/**
 * Applies the named fields.
 * @throws ServiceError `patient.invalid` when the patient becomes too large or excludes too many therapists at once
 */
export function changePatient(before: Patient, patch: PatientPatch, now: Instant): ChangeResult {
  const { ausgeschlossene_therapeuten: exclusions, ...rest } = patch;
  const draft: Patient = { ...before, ...withoutUndefined(rest) };
  if (exclusions !== undefined) {
    draft.ausgeschlossene_therapeuten = mergeExclusions(before.ausgeschlossene_therapeuten, exclusions, now);
  }
  return settle(before, draft, now);
}

/** Notes a contact on `date`, at most today; an earlier one than the stored changes nothing. */
export function recordContact(before: Patient, date: BerlinDate, now: Instant): ChangeResult {
  const today = berlinDateOf(now);
  const past = date < today ? date : today;
  const later =
    before.letzter_kontakt === null || past > before.letzter_kontakt ? past : before.letzter_kontakt;
  return settle(before, { ...before, letzter_kontakt: later }, now);
}

/** Puts a wrong date of the last contact right: it may go back. */
export function correctContact(before: Patient, date: BerlinDate, now: Instant): ChangeResult {
  return settle(before, { ...before, letzter_kontakt: date }, now);
}

/** Frees a patient from a therapist who was blocked; a patient who is not with them stays as they are. */
export function blockTherapist(before: Patient, therapist: TherapistId, now: Instant): ChangeResult {
  if (before.zugewiesener_therapeut !== therapist) return { patient: before, events: [] };
  const known = before.ausgeschlossene_therapeuten.some((exclusion) => exclusion.id === therapist);
  return settle(
    before,
    {
      ...before,
      zugewiesener_therapeut: null,
      status: before.status === 'in_Therapie' ? 'auf_der_Suche' : before.status,
      ausgeschlossene_therapeuten: known
        ? before.ausgeschlossene_therapeuten
        : [
            ...before.ausgeschlossene_therapeuten,
            { id: therapist, excluded_at: utcTimestamp(now), reason: THERAPIST_BLOCKED },
          ],
    },
    now,
  );
}

/** Removes the exclusion that {@link blockTherapist} made, and no other. */
export function unblockTherapist(before: Patient, therapist: TherapistId, now: Instant): ChangeResult {
  const kept = before.ausgeschlossene_therapeuten.filter(
    (exclusion) => exclusion.id !== therapist || exclusion.reason !== THERAPIST_BLOCKED,
  );
  return settle(before, { ...before, ausgeschlossene_therapeuten: kept }, now);
}

/** The patient as it is, told once more to readers that may have missed something. */
export function restate(patient: Patient): ChangeResult {
  return { patient, events: [{ type: 'patient.updated', payload: data(patient) }] };
}

/** The one event of an erasure. It holds ids only, so it can outlive the person's data. */
export function erasureEvent(id: PatientId): PatientEvent {
  return { type: 'patient.deleted', payload: { patient_id: id, id, additional_data: { id } } };
}

function settle(before: Patient, draft: Patient, now: Instant): ChangeResult {
  const started = startSearch(draft, now);
  if (changedFields(before, started).length === 0) return { patient: before, events: [] };
  // The clock of another machine may lag behind the one that wrote last.
  const at = utcTimestamp(now);
  const patient = wholePatient({
    ...started,
    updated_at: at > before.updated_at ? at : before.updated_at,
  });
  refuseTooLarge(patient);
  return {
    patient,
    events: [
      ...updated(before, patient),
      ...statusChanged(before, patient),
      ...therapistsExcluded(before.ausgeschlossene_therapeuten, patient),
    ],
  };
}

/** docs/domain.md#start-of-the-search. `startdatum` remembers that it happened, so it happens once. */
function startSearch(patient: Patient, now: Instant): Patient {
  if (!patient.zahlung_eingegangen || !patient.vertraege_unterschrieben || patient.startdatum !== null)
    return patient;
  return {
    ...patient,
    startdatum: berlinDateOf(now),
    status: patient.status === 'offen' ? 'auf_der_Suche' : patient.status,
  };
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

/** Names of the public fields that differ, `updated_at` aside. */
export function changedFields(before: Patient, after: Patient): FieldName[] {
  return FIELD_NAMES.filter((name) => name !== 'updated_at' && !isDeepStrictEqual(before[name], after[name]));
}

function data(patient: Patient): PatientData {
  return { patient_id: patient.id, patient_data: patient };
}

function refuseTooLarge(patient: Patient): void {
  if (Buffer.byteLength(JSON.stringify(patient)) <= MAX_PATIENT_BYTES) return;
  throw new ServiceError('patient.invalid', {
    violations: [{ pointer: '', detail: 'must have at most 256 KiB as JSON' }],
  });
}

/** A patch names what it carries: a key that is present but undefined says nothing. */
function withoutUndefined<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
