/** The therapists whom a patient excludes: merges a list from a client with the stored one. */
import { utcTimestamp, type Instant } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import {
  MAX_EXCLUSIONS_ADDED,
  TOO_MANY_EXCLUSIONS_ADDED,
  type Exclusion,
  type ExclusionInput,
  type TherapistId,
} from './values.ts';

/** Reason of exclusions that the service adds itself; unblocking the therapist removes only these. */
export const THERAPIST_BLOCKED = 'therapist_blocked';

/**
 * Completes each entry of a written list from the stored entry of the same therapist: an id alone keeps the stored date
 * and reason, a missing date or reason stays, `null` or a blank reason clears it. For a therapist named twice the last
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
