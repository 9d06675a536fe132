/**
 * Retention periods that are not configurable. test/facts.test.ts compares them with Terraform and the docs.
 */
import { Timestamp } from '@google-cloud/firestore';
import type { Instant } from '../platform/clock.ts';

/** Days for which each kind of data is kept. */
export const KEPT_DAYS = {
  /** Registration files below `processed/`: a rule of the bucket deletes them (infra/storage.tf). */
  processedFiles: 30,
  /** Registration files below `failed/`, and the records of files without a patient. */
  failedFiles: 90,
  /** Records of applied events: longer than any topic keeps an event that could be redelivered. */
  appliedEvents: 90,
  healthSnapshots: 30,
  /** Backups and point-in-time recovery of the database (infra/firestore.tf). */
  recoveryPoints: 7,
} as const;

/** When data of this kind that is written now expires. */
export function expiryOf(kind: keyof typeof KEPT_DAYS, now: Instant): Timestamp {
  return Timestamp.fromMillis(now.epochMilliseconds + KEPT_DAYS[kind] * 24 * 3600 * 1000);
}
