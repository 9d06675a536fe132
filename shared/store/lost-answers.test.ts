/**
 * A commit that happened and whose answer was lost: the client runs the transaction, or sends the write, again, and meets
 * what it wrote itself. The result must be that of the run that was committed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AUTUMN, BY_ADMIN } from '../../test/support/builders.ts';
import { loseNextAnswer, repeatNextCommit } from '../../test/support/lost-answer.ts';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { changePatient } from '../patient/change.ts';
import { patientId, therapistId } from '../patient/schema.ts';
import { utcTimestamp } from '../platform/clock.ts';
import { ServiceError } from '../platform/errors.ts';
import { takeTurn } from './applied-events.ts';
import { announceErasure, beginErasure } from './erasures.ts';
import { noteRecorded, raiseInsideMark, readInsideMark } from './fence.ts';
import { connectFirestore } from './firestore.ts';
import type { ImportRecord, RecordId } from './imports.ts';
import { releaseLease, renewLease, takeLease } from './leases.ts';
import { createPatientIds, raiseNextId, readNextId } from './patient-ids.ts';
import { readMails } from './outbox-mails.ts';
import { patientDoc, updatePatient, type StoredPatient } from './patients.ts';
import { recordWithoutPatient } from './registrations.ts';
import { repairPatient } from './restored-patients.ts';
import { rebuildSearchIndex } from './search-index.ts';
import { decideToPass, knownBatches, unreadableBatchNotes } from './unreadable-batches.ts';

const world = patientsWorld();
const { db } = world;
const author = { actor: 'staff-1', role: 'staff', method: 'PATCH', route: '/api/patients/{id}' };
afterEach(() => vi.restoreAllMocks());

const auditedFields = async (id: number) =>
  (await db.collection('audit_trail').where('patientId', '==', id).get()).docs.map((doc) =>
    doc.get('fields'),
  );

const callDoctor = (hausarzt: string) => (stored: StoredPatient) =>
  changePatient(stored.patient, { hausarzt } as Parameters<typeof changePatient>[1], AUTUMN);

describe('a change whose answer was lost', () => {
  it('has the result of the committed run, one audit entry and its events once', async () => {
    await world.register(1);
    loseNextAnswer();

    const { stored, audit } = await updatePatient(
      db,
      patientId.parse(1),
      AUTUMN,
      author,
      callDoctor('Dr. Probe'),
    );

    expect(stored).toMatchObject({ patient: { hausarzt: 'Dr. Probe' }, sequence: 2 });
    expect(audit).toMatchObject({ actor: 'staff-1', patientId: 1, fields: ['hausarzt'] });
    expect(await auditedFields(1)).toEqual([['hausarzt']]);
    expect(await world.events(1)).toEqual(['patient.created', 'patient.updated']);
  });

  it('is not refused for the version that it has itself made', async () => {
    await world.register(2);
    loseNextAnswer();

    const { stored } = await updatePatient(db, patientId.parse(2), AUTUMN, author, (before) => {
      if (before.sequence !== 1) throw new ServiceError('request.precondition_failed');
      return callDoctor('Dr. Muster')(before);
    });

    expect(stored.sequence).toBe(2);
  });

  it('is known for its own when another process has changed the patient since', async () => {
    await world.register(3);
    const id = patientId.parse(3);
    const another = connectFirestore({ GOOGLE_CLOUD_PROJECT: world.project });
    loseNextAnswer(() => updatePatient(another, id, AUTUMN, author, callDoctor('Dr. Zweit')));

    const { stored, audit } = await updatePatient(db, id, AUTUMN, author, callDoctor('Dr. Erst'));

    expect(stored).toMatchObject({ patient: { hausarzt: 'Dr. Erst' }, sequence: 2 });
    expect(audit).toBeDefined();
    expect((await world.patient(3)).hausarzt).toBe('Dr. Zweit');
    expect(await auditedFields(3)).toHaveLength(2);
  });
});

it('a mail that a change causes is written with the change, once, also when the answer was lost', async () => {
  await world.register(4);
  const id = patientId.parse(4);
  const mail = { path: '/api/emails', body: { patient_id: 4 }, idempotencyKey: 'payment-4' } as const;
  loseNextAnswer();

  await updatePatient(db, id, AUTUMN, author, (before) => ({
    ...callDoctor('Dr. Probe')(before),
    mails: [mail],
  }));

  const waiting = await readMails(db, 10);
  expect(waiting).toHaveLength(1);
  expect(waiting[0]).toMatchObject(mail);
  expect(await world.sequence(4)).toBe(2);
  await beginErasure(db, id, AUTUMN, BY_ADMIN);
  expect(await readMails(db, 10)).toEqual([]);
});

it('an erasure whose answer was lost is one erasure', async () => {
  await world.register(5);
  loseNextAnswer();

  const { erasure, audit } = await beginErasure(db, patientId.parse(5), AUTUMN, BY_ADMIN);
  vi.restoreAllMocks();
  loseNextAnswer();
  await announceErasure(db, patientId.parse(5), AUTUMN);

  expect(erasure).toMatchObject({ patient_id: 5, requested_by: BY_ADMIN.by });
  expect(audit).toMatchObject({ actor: 'admin-1', patientId: 5 });
  expect(await auditedFields(5)).toEqual([[]]);
  expect(await world.events(5)).toEqual(['patient.deleted']);
});

describe('a file without a patient', () => {
  it('has the record of the committed run, and one mail to staff', async () => {
    const recordId = 'a'.repeat(64) as RecordId;
    const at = utcTimestamp(AUTUMN);
    const record: ImportRecord = {
      outcome: 'failed',
      patient_id: null,
      token_sha256: null,
      reason: 'import.invalid',
      violations: [],
      archive_path: 'failed/a.json',
      archived_at: null,
      received_at: at,
      uploaded_at: at,
    };
    const file = { tokenHash: null, reference: null };
    let runs = 0;
    loseNextAnswer();

    const standing = await recordWithoutPatient(db, recordId, file, AUTUMN, () => {
      runs += 1;
      const body = { subject: String(runs) };
      return { record, mail: { path: '/api/system-messages', body, idempotencyKey: `mail-${runs}` } };
    });

    expect(standing).toMatchObject(record);
    const mails = await db.collection('outbox').where('kind', '==', 'mail').get();
    expect(mails.docs.map(({ id }) => id)).toEqual(['mail-1']);
  });
});

describe('the restore', () => {
  it('raises a mark whose answer was lost above every mark that was written', async () => {
    loseNextAnswer();
    const raised = await raiseInsideMark(db, undefined, { incarnation: 'a', at: utcTimestamp(AUTUMN) });
    expect(await readInsideMark(db)).toEqual(raised);
    expect(raised).toMatchObject({ incarnation: 'a', recorded: false });
    vi.restoreAllMocks();

    loseNextAnswer();
    await noteRecorded(db, raised);
    expect(await readInsideMark(db)).toEqual({ ...raised, recorded: true });
  });

  it('repairs a patient once, and reports what it did', async () => {
    await world.register(20);
    const id = patientId.parse(20);
    await updatePatient(db, id, AUTUMN, author, callDoctor('Dr. Zwei'));
    await updatePatient(db, id, AUTUMN, author, callDoctor('Dr. Drei'));
    const waiting = await db.collection('outbox').where('patient_id', '==', 20).orderBy('sequence').get();
    const first = waiting.docs[0]!.id;
    const published = {
      last: 5,
      margin: 1_000,
      deleted: false,
      isPublished: (eventId: string) => eventId === first,
      isUnpublished: (eventId: string) => eventId !== first,
    };
    loseNextAnswer();

    expect(await repairPatient(db, id, published)).toEqual({ raised: true, removed: 1, renumbered: 2 });
    expect(await world.sequence(20)).toBe(1_007);
  });
});

describe('patient ids', () => {
  it('are given once, and the counter rises no further than it must', async () => {
    const outside = () => readInsideMark(db);
    loseNextAnswer();
    const given = [await createPatientIds(db, outside)()];
    vi.restoreAllMocks();
    given.push(await createPatientIds(db, outside)());
    expect(new Set(given).size).toBe(2);

    const next = (await readNextId(db)) + 7;
    loseNextAnswer();
    await raiseNextId(db, next);
    expect(await readNextId(db)).toBe(next);
  });
});

describe('an event of a therapist', () => {
  const take = (eventId: string) => takeTurn(db, eventId, therapistId.parse(1), true, AUTUMN);

  it('has one turn, also when a later event came before the answer', async () => {
    loseNextAnswer();
    const first = await take('event-1');
    expect(first).toMatchObject({ turn: 1, isComplete: false, isOutdated: false });
    vi.restoreAllMocks();

    loseNextAnswer(() => take('event-3'));
    expect(await take('event-2')).toMatchObject({ turn: 2, isComplete: false, isOutdated: true });
    vi.restoreAllMocks();
    expect(await take('event-4')).toMatchObject({ turn: 4 });
  });
});

describe('a lease', () => {
  const TTL = 60_000;

  it('whose taking had no answer is held', async () => {
    repeatNextCommit();
    const first = await takeLease(db, 'lost', 'one', TTL);
    expect(first).toMatchObject({ epoch: 1, unsettledForMs: undefined });
    await releaseLease(first!, true);
    vi.restoreAllMocks();

    repeatNextCommit();
    const second = await takeLease(db, 'lost', 'two', TTL);
    expect(second).toMatchObject({ epoch: 2, unsettledForMs: undefined });
    expect(await takeLease(db, 'lost', 'three', TTL)).toBeUndefined();
    expect(await renewLease(second!)).toMatchObject({ epoch: 2 });
  });

  it('whose renewal had no answer is renewed, as of a time after it was asked', async () => {
    const lease = await takeLease(db, 'renewed', 'one', TTL);
    repeatNextCommit();
    const renewed = await renewLease(lease!);
    expect(renewed).toMatchObject({ epoch: 1 });
    vi.restoreAllMocks();

    // Nobody was told of this renewal, so its time says nothing of the next one's.
    await renewLease(renewed!);
    await sleep(20);
    const again = await renewLease(renewed!);
    expect(again!.updateTime.toMillis()).toBeGreaterThan(renewed!.updateTime.toMillis() + 10);
    expect(await takeLease(db, 'renewed', 'two', TTL)).toBeUndefined();
  });

  it('whose release had no answer is free', async () => {
    const lease = await takeLease(db, 'released', 'one', TTL);
    repeatNextCommit();
    await releaseLease(lease!, true);
    expect(await takeLease(db, 'released', 'two', TTL)).toMatchObject({ epoch: 2 });
  });
});

it('a search index whose writing had no answer counts as rewritten', async () => {
  await world.register(30);
  await patientDoc(db, patientId.parse(30)).update({ '_meta.grams': ['stale'] });
  repeatNextCommit();
  let rewritten = 0;
  for await (const progress of rebuildSearchIndex(db)) ({ rewritten } = progress);
  expect(rewritten).toBe(1);
});

describe('a batch that cannot be read', () => {
  const place = { topic: 'therapist-events', partition: 0 };
  const batch = { reason: 'crc', offset: 7n, lastOffset: 9n, header: undefined };

  it('is noted once, and the decision to pass over it stands', async () => {
    const notes = unreadableBatchNotes(db, () => AUTUMN)('group');
    repeatNextCommit();
    expect(await notes.standing(place, batch)).toBeUndefined();
    vi.restoreAllMocks();
    const [known] = await knownBatches(db, 'group');

    repeatNextCommit();
    expect(await decideToPass(db, known!, 9n, AUTUMN)).toBe(true);
    expect(await notes.standing(place, batch)).toBe(9n);
    expect(await decideToPass(db, { ...known!, offset: '8' }, 9n, AUTUMN)).toBe(false);
  });
});
