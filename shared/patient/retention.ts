/**
 * How long the service keeps a patient who never paid or whose case is closed (docs/operations.md#retention). Pure: days
 * are calendar days in Berlin, and the caller supplies `now`.
 */
import {
  addDays,
  berlinDateOf,
  parseTimestamp,
  startOfBerlinDay,
  utcTimestamp,
  type BerlinDate,
  type Instant,
  type UtcTimestamp,
} from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import type { Patient } from './schema.ts';

/** `unpaid`: registered and never paid. `closed`: the search or the therapy is over. */
export type RetentionRule = 'unpaid' | 'closed';

/** Days for each rule; undefined: the rule is off. */
export type RetentionDays = Readonly<Record<RetentionRule, number | undefined>>;

/** All rules. */
export const RETENTION_RULES: readonly RetentionRule[] = ['unpaid', 'closed'];

/** The statuses to which the rule `closed` applies. */
export const CLOSED_STATUSES = [
  'Therapie_abgeschlossen',
  'Suche_abgebrochen',
  'Therapie_abgebrochen',
] as const satisfies readonly Patient['status'][];

/** The rule that applies to a patient, and the day on which the retention ends. */
export interface Retention {
  readonly rule: RetentionRule;
  /** The first day on which the patient may be erased. */
  readonly due_on: BerlinDate;
}

/** When a patient's retention ends; undefined when no active rule applies to them. */
export function retentionOf(patient: Patient, days: RetentionDays): Retention | undefined {
  const rule = ruleOf(patient);
  const kept = rule && days[rule];
  if (rule === undefined || kept === undefined) return undefined;
  // The day on which the status changed is not stored, but it is never after the last change of the patient.
  const since = dateOf(rule === 'unpaid' ? patient.created_at : patient.updated_at);
  const contact = patient.letzter_kontakt ?? since;
  return { rule, due_on: addDays(contact > since ? contact : since, kept + 1) };
}

/** The {@link retentionOf} a patient when it has ended; undefined for a patient who is still kept. */
export function retentionDue(patient: Patient, days: RetentionDays, now: Instant): Retention | undefined {
  const retention = retentionOf(patient, days);
  return retention !== undefined && retention.due_on <= berlinDateOf(now) ? retention : undefined;
}

/** A patient with a contact, or a change, on this day or later is still kept. */
export function keptSince(
  days: number,
  now: Instant,
): { readonly day: BerlinDate; readonly at: UtcTimestamp } {
  const day = addDays(berlinDateOf(now), -days);
  return { day, at: utcTimestamp(startOfBerlinDay(day)) };
}

function ruleOf({ status, zahlung_eingegangen, startdatum }: Patient): RetentionRule | undefined {
  if ((CLOSED_STATUSES as readonly string[]).includes(status)) return 'closed';
  // The search starts only after the payment, so a start date proves one even when the flag was unset later.
  return status === 'offen' && !zahlung_eingegangen && startdatum === null ? 'unpaid' : undefined;
}

function dateOf(timestamp: UtcTimestamp): BerlinDate {
  const instant = parseTimestamp(timestamp);
  if (instant === undefined) throw new ServiceError('internal');
  return berlinDateOf(instant);
}
