import { Temporal } from 'temporal-polyfill';
import { describe, expect, it, vi } from 'vitest';
import { registerPatient } from '../../shared/patient/change.ts';
import { patientId } from '../../shared/patient/schema.ts';
import { recordIdOf } from '../../shared/store/imports.ts';
import { addPatient } from '../../shared/store/patients.ts';
import { utcTimestamp } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { retryName } from '../../shared/registration/archive.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { aNewPatient, aRegistration, signedRegistration } from '../../test/support/builders.ts';
import { loseNextAnswer } from '../../test/support/lost-answer.ts';
import { importWorld, objectNames } from '../../test/support/import-world.ts';
import { opsCorner } from '../../test/support/ops-corner.ts';
import { patientsWorld } from '../../test/support/patients-world.ts';

const corner = await opsCorner();
const { kafka, world, publisher, ops, bury, relayAll } = corner;
const { patients, communication, therapists } = corner.topics;

const places = async (filter = '') =>
  ((await ops(`--json dlq list${filter}`)).json() as { place: string }[]).map(({ place }) => place);

describe('ops dlq', () => {
  it('lists, shows, replays and drops', async () => {
    expect((await ops('dlq list')).out).toContain('No dead letters.');
    for (let n = 0; n < 4; n += 1) await bury(communication, n, `secret ${n}`);
    await bury(therapists, 9, 'other');

    const all = await places();
    expect(all).toHaveLength(5);
    expect(await places(' --topic therapists')).toHaveLength(1);
    expect(await places(' --error event.not_json')).toEqual([]);
    expect(await places(' --since 2999-01-01T00:00:00Z')).toEqual([]);

    const [first, second, third] = all as [string, string, string];
    const shown = await ops(`dlq show ${first}`);
    expect(shown.out).toContain('The payload breaks its schema');
    expect(shown.out).not.toContain('secret');
    expect((await ops(`--json dlq show ${first} --value`)).json().value).toBe('secret 0');

    const rehearsal = await ops('dlq replay --dry-run');
    expect(rehearsal.out).toContain('5 dead letters would be replayed.');
    expect(await kafka.read(communication)).toEqual([]);

    expect((await ops(`dlq replay ${first} --rate 100`)).code).toBe(0);
    const [revived] = await kafka.read(communication);
    expect(revived).toMatchObject({
      key: Buffer.from('k'),
      value: Buffer.from('secret 0'),
      headers: { ce_id: Buffer.from('id-0') },
    });
    expect(Object.keys(revived!.headers)).toEqual(['ce_id']);

    expect((await ops(`dlq drop ${second} ${third}`)).out).toContain('2 dead letters dropped.');
    expect(await places()).toEqual(all.slice(3));

    await ops('dlq drop --topic communication');
    expect(await places()).toHaveLength(1);
    const values = (await kafka.read(`${communication}.dlq`)).map(({ value }) => value);
    expect(values.filter((value) => value !== null)).toEqual([]);
  });

  it('sends a letter to its own topic only, and lists one that it cannot read', async () => {
    const patientsBefore = await kafka.read(patients);
    await publisher.publish([
      {
        topic: `${therapists}.dlq`,
        key: 'k',
        value: 'stray',
        headers: {
          'dlq-origin-topic': patients,
          'dlq-origin-partition': '0',
          'dlq-origin-offset': 'abc',
          'dlq-error-message': '\u001b[2J',
          name: 'Lena',
        },
      },
    ]);
    const [place] = await places(' --error unreadable');

    expect((await ops('dlq list')).out).toContain('unreadable');
    const shown = await ops(`dlq show ${place}`);
    expect(shown).toMatchObject({ code: 0, out: expect.not.stringContaining('Lena') });
    expect(shown.out).not.toContain('\u001b');
    expect((await ops(`dlq show ${place} --value`)).out).toContain('Lena');
    expect((await ops(`dlq replay ${place}`)).code).toBe(0);

    expect(await kafka.read(patients)).toEqual(patientsBefore);
    const sent = await kafka.read(therapists);
    expect(sent.map(({ value }) => String(value))).toContain('stray');
    expect(await places(' --error unreadable')).toEqual([]);
  });

  it('drops a stray message whose key leaves no room for more', async () => {
    const stray = { topic: `${therapists}.dlq`, key: 'k'.repeat(1_048_450), value: 'stray' };
    await publisher.publish([stray]);
    const [place] = await places(' --error unreadable');
    expect(await ops(`dlq drop ${place}`)).toMatchObject({ code: 0, err: '' });
    expect(await places(' --error unreadable')).toEqual([]);
  });

  it('changes nothing unless a place, a filter or --all is given', async () => {
    const { code, err } = await ops('dlq drop');
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('--all') });
  });

  it.each(['show', 'replay', 'drop'])('refuses to %s a place that does not exist', async (command) => {
    const { code, err } = await ops(`dlq ${command} communication:5:999`);
    expect({ code, err }).toMatchObject({ code: 4, err: expect.stringContaining('communication:5:999') });
  });

  it('leaves letters that it cannot replay, and says so', async () => {
    await bury(communication, 50, 'x'.repeat(1024 * 1024));
    const [place] = await places(' --topic communication');
    const { code, out } = await ops(`dlq replay ${place}`);
    expect({ code, out }).toMatchObject({ code: 1, out: expect.stringContaining('1 left') });
    expect(await places(' --topic communication')).toEqual([place]);
    expect((await ops(`dlq drop ${place}`)).code).toBe(0);
  });
});

describe('ops lag', () => {
  it('shows each partition of both groups', async () => {
    const rows = (await ops('--json lag')).json() as { topic: string; lag: number }[];
    expect(rows).toHaveLength(12);
    expect(rows.filter(({ topic }) => topic === communication).reduce((sum, { lag }) => sum + lag, 0)).toBe(
      1,
    );
  });
});

describe('ops outbox, republish and verify', () => {
  it('follow a patient from the outbox to the topic', async () => {
    await world.register(1);
    await world.register(2);
    expect((await ops('--json outbox status')).json()).toMatchObject({ events: 2, mails: 0 });
    expect((await ops('--json verify')).json()).toMatchObject({ patients: 2, events: 0, waiting: 2 });

    expect((await ops('republish --patient 1')).code).toBe(0);
    expect(await world.events(1)).toEqual(['patient.created', 'patient.updated']);
    expect((await ops('--json republish --all --dry-run')).json()).toEqual({ patients: 2, dry_run: true });
    await ops('republish --all --rate 1000');
    expect(await world.sequence(1)).toBe(3);

    await relayAll();
    const good = await ops('verify');
    expect(good).toMatchObject({ code: 0, out: expect.stringContaining('Firestore and the topic agree') });
    // Patient 2 is in partition 2, patient 1 in partition 3.
    const partly = (await ops('--json verify --after 2')).json();
    expect(partly).toMatchObject({ partitions: 3, patients: 1, findings: 0 });
    const nothing = { code: 2, err: 'The last partition of the topic is 5.\n' };
    expect(await ops('verify --after 5')).toMatchObject(nothing);

    await world.register(3);
    const [lost] = (await world.db.collection('outbox').get()).docs;
    await lost!.ref.delete();
    const bad = await ops('verify');
    expect(bad).toMatchObject({ code: 1, out: expect.stringMatching(/3 +missing +1/) });
  });

  it('brings the search index up to date, also from a given patient on', async () => {
    await world.db.doc('patients/1').update({ '_meta.grams': [] });
    expect((await ops('--json search rebuild --after 1')).json()).toEqual({ patients: 2, rewritten: 0 });
    expect((await ops('--json search rebuild')).json()).toEqual({ patients: 3, rewritten: 1 });
    expect((await ops('search rebuild')).out).toContain('The search index of 3 patients is up to date');
    expect((await ops('search rebuild --after x')).code).toBe(2);
  });

  it('republishes a patient once when the answer to the commit was lost', async () => {
    const before = await world.sequence(1);
    loseNextAnswer(undefined, '/patients/1');
    expect((await ops('republish --patient 1')).code).toBe(0);
    vi.restoreAllMocks();
    expect(await world.sequence(1)).toBe(before + 1);
  });

  it('refuses to republish without a patient or --all', async () => {
    expect((await ops('republish')).code).toBe(2);
    expect((await ops('republish --patient abc')).code).toBe(2);
    expect((await ops('republish --patient 4711')).code).toBe(4);
  });
});

describe('ops import', () => {
  it('lists the last imports, and sends a failed file through the import again', async () => {
    const { deps, bucket, drop } = await importWorld({ db: world.db });
    const where = { GCS_IMPORT_BUCKET: bucket.name };
    await importObject(deps, await drop({ patient_data: 'none' }));
    const [failed] = (await ops('--json import list --outcome failed', where)).json();
    expect(failed).toMatchObject({ outcome: 'failed', patient_id: null });

    const { code, out } = await ops(`import retry ${failed.record_id}`, where);

    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('incoming/retry-') });
    const [waiting] = await bucket.getFiles({ prefix: 'incoming/' });
    expect(waiting).toHaveLength(1);
    const [again] = await waiting[0]!.download();
    expect(JSON.parse(String(again))).toEqual({ patient_data: 'none' });
    expect((await ops('import list --outcome imported', where)).out).not.toContain(failed.record_id);
  });

  it('shows the broken rules of a file, and lists waiting files without their names', async () => {
    const { deps, bucket, drop } = await importWorld({ db: world.db });
    const where = { GCS_IMPORT_BUCKET: bucket.name };
    const dropped = await drop(aRegistration({ plz: '1' }));
    await drop(aRegistration(), 'incoming/Beispiel.json');
    await importObject(deps, dropped);
    const { out } = await ops(
      `import show ${recordIdOf(bucket.name, dropped.name, dropped.generation)}`,
      where,
    );
    expect(out).toMatch(/reason +import.invalid/);
    expect(out).toMatch(/\/patient_data\/plz +must/);
    const waiting = await ops('import waiting', where);
    expect(waiting.out).toContain('1 file in incoming/');
    expect(waiting.out).not.toContain('Beispiel');
  });

  it('measures the age of a retried signed file at its original upload, and of no other file', async () => {
    const rules = { key: 'right', environment: 'test' };
    const allocatePatientId = async () => patientId.parse(4711);
    const { deps, bucket, drop } = await importWorld({ db: world.db, signature: rules, allocatePatientId });
    const where = { GCS_IMPORT_BUCKET: bucket.name };
    const yesterday = systemClock().subtract({ hours: 30 });
    const file = signedRegistration(rules.key, { timestamp: utcTimestamp(yesterday) });
    const dropped = { ...(await drop(file)), uploadedAt: yesterday };
    await importObject({ ...deps, signature: { ...rules, key: 'wrong' } }, dropped);
    const id = recordIdOf(bucket.name, dropped.name, dropped.generation);

    expect(await importObject(deps, await drop(file, retryName(id)))).toBe('failed');
    expect((await ops(`import retry ${id}`, where)).code).toBe(0);
    const [again] = (await bucket.getFiles({ prefix: 'incoming/retry-' }))[0];
    const { name, metadata } = again!;
    const generation = String(metadata.generation);
    const object = { name, generation, bytes: dropped.bytes, uploadedAt: systemClock() };
    expect(await importObject(deps, object)).toBe('imported');
  });

  it('deletes a failed file with its violations and its record, only with --apply, and logs it', async () => {
    const { deps, bucket, drop } = await importWorld({ db: world.db });
    const where = { GCS_IMPORT_BUCKET: bucket.name };
    const recordOf = ({ name, generation }: { name: string; generation: string }) =>
      recordIdOf(bucket.name, name, generation);
    const [failing, other] = [
      await drop(aRegistration({ plz: '1' })),
      await drop(aRegistration({ plz: '2' })),
    ];
    for (const object of [failing, other]) await importObject(deps, object);
    const id = recordOf(failing);
    expect((await ops(`import delete ${id}`, where)).out).toContain('Nothing was deleted');
    expect(await objectNames(bucket)).toHaveLength(4);
    expect((await ops(`import delete ${id} --apply`, where)).code).toBe(0);
    expect(await objectNames(bucket)).toEqual([
      expect.stringContaining(`${recordOf(other)}.error.json`),
      expect.stringContaining(`${recordOf(other)}.json`),
    ]);
    expect((await ops(`import show ${id}`, where)).code).toBe(4);
    expect((await ops(`import delete ${id} --apply`, where)).code).toBe(4);
    expect((await ops('import delete ../../x --apply', where)).code).toBe(4);

    const allocatePatientId = async () => patientId.parse(4712);
    const sound = await drop(aRegistration());
    expect(await importObject({ ...deps, allocatePatientId }, sound)).toBe('imported');
    const refused = await ops(`import delete ${recordOf(sound)} --apply`, where);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('erase its patient') });
    expect(await objectNames(bucket)).toHaveLength(3);
  });

  it.each(['retry 4711', 'show 4711', 'show a/b', 'show __x__', 'delete ../x'])(
    'says that there is no such file (%s)',
    async (command) => {
      const { bucket } = await importWorld();
      expect(await ops(`import ${command}`, { GCS_IMPORT_BUCKET: bucket.name })).toMatchObject({
        code: 4,
        err: expect.stringContaining(`There is no file ${command.split(' ')[1]}`),
      });
    },
  );
});

describe('ops', () => {
  it('shows examples in its help', async () => {
    const { code, out } = await ops('--help');
    expect(code).toBe(0);
    expect(out).toMatch(/Examples:[\s\S]*ops dlq replay[\s\S]*Exit codes/);
  });

  it('names everything that is missing in the configuration', async () => {
    const { code, err } = await ops('lag', { KAFKA_BOOTSTRAP_SERVERS: undefined });
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringContaining('KAFKA_BOOTSTRAP_SERVERS is not set'),
    });
  });

  it('exits with its own code when Kafka is unreachable', async () => {
    expect(
      (await ops('lag', { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9', KAFKA_LOG_LEVEL: 'nothing' })).code,
    ).toBe(3);
  });
});

describe('ops retention preview', () => {
  it('lists ids, rule and due date of the patients that a run would erase, and changes nothing', async () => {
    const { db, project } = patientsWorld();
    const where = { GOOGLE_CLOUD_PROJECT: project };
    const batch = db.batch();
    for (const [id, at] of [
      [1, '2020-03-01T09:00:00Z'],
      [2, utcTimestamp(systemClock())],
    ] as const) {
      const created = registerPatient(patientId.parse(id), aNewPatient(), Temporal.Instant.from(at));
      addPatient(db, batch, created, systemClock());
    }
    await batch.commit();

    expect((await ops('retention preview', where)).out).toContain('Retention is off');
    const due = [{ patient_id: 1, rule: 'unpaid', due_on: '2020-04-01' }];
    const set = await ops('--json retention preview', { ...where, RETENTION_UNPAID_DAYS: '30' });
    expect(set.json()).toEqual(due);
    expect((await ops('--json retention preview --unpaid 30', where)).json()).toEqual(due);
    expect((await ops('--json retention preview --closed 30', where)).json()).toEqual([]);
    const { out } = await ops('retention preview --unpaid 30', where);
    expect(out).toContain('1 patient would be erased');
    expect(out).not.toContain('Beispiel');
    expect((await ops('retention preview --unpaid x', where)).code).toBe(2);
    expect((await ops('retention preview', { ...where, RETENTION_UNPAID_DAYS: '0' })).code).toBe(2);
    expect((await db.collection('patients').count().get()).data().count).toBe(2);
  });
});
