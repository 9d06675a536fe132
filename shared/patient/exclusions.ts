/** The therapists who are out of the question for a patient: how a written list meets the stored one. */
import { utcTimestamp, type Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import {
  MAX_EXCLUSIONS_ADDED,
  TOO_MANY_EXCLUSIONS_ADDED,
  type Exclusion,
  type ExclusionInput,
  type TherapistId,
} from './values.ts';

/** Reason of an exclusion that the service made itself; unblocking the therapist removes exactly these. */
export const THERAPIST_BLOCKED = 'therapist_blocked';

/**
 * The written list, each entry completed from the stored one of the same therapist: an id alone keeps what is
 * known, a missing date or reason stays, `null` or a blank reason clears. A therapist named twice counts once, the last
 * entry wins.
 * @throws ServiceError `patient.invalid` when the list adds too many at once
 */
export function mergeExclusions(
  stored: readonly Exclusion[],
  written: readonly ExclusionInput[],
  now: Instant,
): Exclusion[] {
  const known = new Map(stored.map((exclusion) => [exclusion.id, exclusion]));
  const merged = new Map<TherapistId, Exclusion>();
  for (const entry of written) {
    const { id, excluded_at, reason } = typeof entry === 'number' ? { id: entry } : entry;
    const before = known.get(id);
    const kept = reason === null || reason === '' ? undefined : (reason ?? before?.reason);
    merged.set(id, {
      id,
      excluded_at: excluded_at ?? before?.excluded_at ?? utcTimestamp(now),
      ...(kept === undefined ? {} : { reason: kept }),
    });
  }
  if ([...merged.keys()].filter((id) => !known.has(id)).length > MAX_EXCLUSIONS_ADDED) {
    throw new ServiceError('patient.invalid', {
      violations: [{ pointer: '/ausgeschlossene_therapeuten', detail: TOO_MANY_EXCLUSIONS_ADDED }],
    });
  }
  return [...merged.values()];
}
