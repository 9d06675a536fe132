/**
 * What a change does to a patient (docs/domain.md#start-of-the-search); consequences.ts says what it causes elsewhere.
 * Pure: the caller supplies `now` and stores the result; nothing here reads a clock or a database.
 */
import { berlinDateOf, utcTimestamp, type BerlinDate, type Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import {
  causedByChange,
  causedByRegistration,
  NOTHING,
  causedByRestating,
  type Consequences,
} from './consequences.ts';
import { mergeExclusions, THERAPIST_BLOCKED } from './exclusions.ts';
import {
  changedFields,
  wholePatient,
  type NewPatient,
  type Patient,
  type PatientId,
  type PatientPatch,
  type TherapistId,
} from './schema.ts';

/** The patient after a change, with its events and mails. Without a change: the unchanged patient, no events, no mails. */
export interface ChangeResult extends Consequences {
  readonly patient: Patient;
}

/** Limit for a whole patient: 256 KiB of JSON. */
const MAX_PATIENT_BYTES = 256 * 1024;

/**
 * Creates a patient's first state.
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
  return { patient, ...causedByRegistration(first, patient) };
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

/** Records a contact on `date`, or today when it is in the future; a date before the stored one changes nothing. */
export function recordContact(before: Patient, date: BerlinDate, now: Instant): ChangeResult {
  const today = berlinDateOf(now);
  const past = date < today ? date : today;
  const later =
    before.letzter_kontakt === null || past > before.letzter_kontakt ? past : before.letzter_kontakt;
  return settle(before, { ...before, letzter_kontakt: later }, now);
}

/** Corrects the date of the last contact; unlike a new contact, it may go back. */
export function correctContact(before: Patient, date: BerlinDate, now: Instant): ChangeResult {
  return settle(before, { ...before, letzter_kontakt: date }, now);
}

/** Removes a blocked therapist from a patient; changes nothing for a patient who is not with that therapist. */
export function blockTherapist(before: Patient, therapist: TherapistId, now: Instant): ChangeResult {
  if (before.zugewiesener_therapeut !== therapist) return { patient: before, ...NOTHING };
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

/** Removes the exclusion that {@link blockTherapist} made; every other exclusion stays. */
export function unblockTherapist(before: Patient, therapist: TherapistId, now: Instant): ChangeResult {
  const kept = before.ausgeschlossene_therapeuten.filter(
    (exclusion) => exclusion.id !== therapist || exclusion.reason !== THERAPIST_BLOCKED,
  );
  return settle(before, { ...before, ausgeschlossene_therapeuten: kept }, now);
}

/** Publishes the unchanged patient again, for readers that may have missed an event. */
export function restate(patient: Patient): ChangeResult {
  return { patient, ...causedByRestating(patient) };
}

function settle(before: Patient, draft: Patient, now: Instant): ChangeResult {
  const started = startSearch(draft, now);
  if (changedFields(before, started).length === 0) return { patient: before, ...NOTHING };
  // This machine's clock may be behind the clock of the machine that wrote last.
  const at = utcTimestamp(now);
  const patient = wholePatient({
    ...started,
    updated_at: at > before.updated_at ? at : before.updated_at,
  });
  refuseTooLarge(patient);
  return { patient, ...causedByChange(before, patient) };
}

/** docs/domain.md#start-of-the-search. A set `startdatum` means that it has happened, so it happens once. */
function startSearch(patient: Patient, now: Instant): Patient {
  if (!patient.zahlung_eingegangen || !patient.vertraege_unterschrieben || patient.startdatum !== null)
    return patient;
  return {
    ...patient,
    startdatum: berlinDateOf(now),
    status: patient.status === 'offen' ? 'auf_der_Suche' : patient.status,
  };
}

function refuseTooLarge(patient: Patient): void {
  if (Buffer.byteLength(JSON.stringify(patient)) <= MAX_PATIENT_BYTES) return;
  throw new ServiceError('patient.invalid', {
    violations: [{ pointer: '', detail: 'must have at most 256 KiB as JSON' }],
  });
}

/** Drops keys whose value is undefined: such a key changes nothing. */
function withoutUndefined<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
