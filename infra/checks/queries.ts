/**
 * Every query of shared/store, built with each combination of arguments that changes its shape. The index check
 * fails when a query builder of shared/store is not listed here.
 */
import type { Firestore, Query } from '@google-cloud/firestore';
import { Temporal } from 'temporal-polyfill';
import { keptSince, RETENTION_RULES } from '../../shared/patient/retention.ts';
import type { PatientId, TherapistId } from '../../shared/patient/schema.ts';
import type { UtcTimestamp } from '../../shared/platform/clock.ts';
import { auditTrailQuery } from '../../shared/store/audit-trail.ts';
import { communicationQuery } from '../../shared/store/communication-history.ts';
import { expiredQuery, expiringCollections } from '../../shared/store/expiry.ts';
import { newestSnapshotQuery } from '../../shared/store/health-snapshots.ts';
import { patientKeysQuery } from '../../shared/store/idempotency-keys.ts';
import { openErasuresQuery } from '../../shared/store/erasures.ts';
import {
  importsOfPatientQuery,
  importsOfPersonQuery,
  importsOfTokenQuery,
} from '../../shared/store/person-files.ts';
import { importsQuery, lastImportsQuery } from '../../shared/store/import-statistics.ts';
import { eventsQuery, frontEventsQuery } from '../../shared/store/outbox-events.ts';
import { mailsQuery } from '../../shared/store/outbox-mails.ts';
import { patientEntriesQuery } from '../../shared/store/outbox.ts';
import { longestWaitingQuery, waitingQuery } from '../../shared/store/outbox-backlog.ts';
import { patientsQuery, startAfter } from '../../shared/store/patient-list.ts';
import { heldQuery } from '../../shared/store/patient-search.ts';
import { assignedPatientsQuery, blockedPatientsQuery } from '../../shared/store/patients.ts';
import { lapsedQuery } from '../../shared/store/retention.ts';
import { personKeys } from '../../shared/store/person-keys.ts';
import { knownQuery, standingQuery } from '../../shared/store/unreadable-batches.ts';
import { patientTokensQuery, type TokenHash } from '../../shared/store/registration-tokens.ts';

const patient = 1 as PatientId;
const therapist = 1 as TherapistId;
const before = keptSince(30, Temporal.Instant.fromEpochMilliseconds(0));
const patientPosition = { created_at: '2026-01-01T00:00:00.000Z' as UtcTimestamp, id: patient };
const position = { occurred_at: '2026-01-01T00:00:00.000Z', event_id: 'event' };

/** The queries of each builder, by its name. */
export function queries(db: Firestore): Record<string, Query[]> {
  return {
    auditTrailQuery: [auditTrailQuery(db, Temporal.Instant.fromEpochMilliseconds(0))],
    communicationQuery: [communicationQuery(db, patient), communicationQuery(db, patient, position)],
    patientKeysQuery: [patientKeysQuery(db, patient)],
    importsOfPatientQuery: [importsOfPatientQuery(db, patient)],
    importsOfPersonQuery: [importsOfPersonQuery(db, personKeys('salt', ['a', 'b', 'c']))],
    importsOfTokenQuery: [importsOfTokenQuery(db, 'hash' as TokenHash)],
    importsQuery: [
      importsQuery(db, 'failed'),
      importsQuery(db, 'failed', Temporal.Instant.fromEpochMilliseconds(0)),
    ],
    lastImportsQuery: [lastImportsQuery(db, 20)],
    eventsQuery: [eventsQuery(db, 0, 500)],
    frontEventsQuery: [frontEventsQuery(db)],
    mailsQuery: [mailsQuery(db, 100)],
    patientEntriesQuery: [patientEntriesQuery(db, patient)],
    waitingQuery: [waitingQuery(db, 'kafka'), waitingQuery(db, 'mail')],
    longestWaitingQuery: [longestWaitingQuery(db, 'kafka'), longestWaitingQuery(db, 'mail')],
    expiredQuery: expiringCollections(db).map((collection) =>
      expiredQuery(collection, Temporal.Instant.fromEpochMilliseconds(0)),
    ),
    newestSnapshotQuery: [newestSnapshotQuery(db)],
    patientsQuery: [undefined, 'offen' as const].flatMap((status) =>
      [undefined, 'bei'].map((gram) => startAfter(patientsQuery(db, status, gram), patientPosition)),
    ),
    heldQuery: [
      heldQuery(db, undefined, 'bei', { from: undefined, to: patientPosition, candidates: 20 }),
      heldQuery(db, 'offen', 'bei', { from: patientPosition, to: patientPosition, candidates: 20 }),
    ],
    assignedPatientsQuery: [assignedPatientsQuery(db, therapist, 100)],
    blockedPatientsQuery: [blockedPatientsQuery(db, therapist, 100)],
    lapsedQuery: RETENTION_RULES.flatMap((rule) =>
      [false, true].map((hadContact) => lapsedQuery(db, rule, before, hadContact)),
    ),
    openErasuresQuery: [openErasuresQuery(db, 100)],
    knownQuery: [knownQuery(db, 'group')],
    standingQuery: [standingQuery(db, 'group')],
    patientTokensQuery: [patientTokensQuery(db, patient)],
  };
}
