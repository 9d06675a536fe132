/** The audit trail records whose data the operators' commands show and change. */
import { describe, expect, it } from 'vitest';
import { patientId } from '../../shared/patient/schema.ts';
import { ServiceError } from '../../shared/platform/errors.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { recordIdOf } from '../../shared/store/imports.ts';
import { aRegistration } from '../../test/support/builders.ts';
import { importWorld } from '../../test/support/import-world.ts';
import { testLog } from '../../test/support/kafka.ts';
import { opsCorner } from '../../test/support/ops-corner.ts';
import { createAudit } from './audit.ts';

const { world, ops, bury, relayAll, topics } = await opsCorner();
const { communication, therapists } = topics;

describe('the audit trail', () => {
  const operator = { actor: 'local operator', role: 'operator', method: 'ops' };

  it('names the patients of a dead letter that is shown, replayed or dropped', async () => {
    await bury(communication, 50, JSON.stringify({ payload: { patient_id: 7 } }));
    await bury(communication, 51, JSON.stringify({ payload: { patient_id: 'Lena' } }));
    const left = 'The event could not be applied to patient 3, 5 and 9 more';
    const error = new ServiceError('event.patients_left', { detail: left });
    await bury(therapists, 52, '{}', error);
    const [first, second, third] = ((await ops('--json dlq list')).json() as { place: string }[])
      .map(({ place }) => place)
      .sort() as [string, string, string];

    expect((await ops(`dlq show ${first}`)).audited).toMatchObject([
      { ...operator, route: 'dlq show', outcome: 'answered', patient_ids: [7] },
    ]);
    expect((await ops(`dlq show ${second} --value`)).audited).toEqual([]);
    expect((await ops(`dlq show ${third}`)).audited).toMatchObject([{ patient_ids: [3, 5] }]);
    expect((await ops('dlq replay --dry-run')).audited).toEqual([]);
    expect((await ops(`dlq replay ${first}`)).audited).toMatchObject([
      { route: 'dlq replay', outcome: 'changed', patient_ids: [7] },
    ]);
    expect((await ops('dlq drop --all')).audited).toMatchObject([
      { route: 'dlq drop', outcome: 'changed', patient_ids: [3, 5] },
    ]);
  });

  it('names the patients that are republished, and those that a reconciliation shows', async () => {
    await world.register(1);
    await world.register(2);
    expect((await ops('republish --patient 1 --dry-run')).audited).toEqual([]);
    expect((await ops('republish --patient 1')).audited).toMatchObject([
      { ...operator, route: 'republish', outcome: 'changed', patient_ids: [1] },
    ]);
    const [line] = (await ops('republish --all')).audited;
    expect(line.patient_ids).toEqual([1, 2]);

    await relayAll();
    await world.register(60);
    const { docs } = await world.db.collection('outbox').get();
    for (const { ref } of docs) await ref.delete();
    const verified = (await ops('verify')).audited;
    expect(verified).toMatchObject([{ route: 'verify', outcome: 'answered', patient_ids: [60] }]);
  });

  it('names the patients that retention would erase', async () => {
    await world.db.doc('patients/2').update({ created_at: '2020-03-01T09:00:00Z' });
    expect((await ops('retention preview --unpaid 30')).audited).toMatchObject([
      { ...operator, route: 'retention preview', outcome: 'answered', patient_ids: [2] },
    ]);
    expect((await ops('retention preview --closed 30')).audited).toEqual([]);
  });

  it('names a file and its patient', async () => {
    const allocatePatientId = async () => patientId.parse(4713);
    const { deps, bucket, drop } = await importWorld({ db: world.db, allocatePatientId });
    const where = { GCS_IMPORT_BUCKET: bucket.name };
    const recordOf = ({ name, generation }: { name: string; generation: string }) =>
      recordIdOf(bucket.name, name, generation);
    const [sound, failing] = [await drop(aRegistration()), await drop({ patient_data: 'none' })];
    for (const object of [sound, failing]) await importObject(deps, object);
    const audited = async (commandLine: string) => (await ops(commandLine, where)).audited;

    const list = await audited('import list --outcome imported');
    expect(list).toMatchObject([{ ...operator, route: 'import list', outcome: 'answered' }]);
    expect(list[0].patient_ids).toContain(4713);
    expect(await audited(`import show ${recordOf(sound)}`)).toMatchObject([
      { route: 'import show', outcome: 'answered', record_id: recordOf(sound), patient_ids: [4713] },
    ]);
    const record_id = recordOf(failing);
    for (const [command, outcome] of [
      ['show', 'answered'],
      ['retry', 'changed'],
      ['delete', 'answered'],
      ['delete', 'changed'],
    ] as const) {
      const apply = command === 'delete' && outcome === 'changed' ? ' --apply' : '';
      expect(await audited(`import ${command} ${record_id}${apply}`)).toMatchObject([
        { ...operator, route: `import ${command}`, outcome, record_id, patient_ids: [] },
      ]);
    }
    expect(await audited(`import show ${'0'.repeat(64)}`)).toEqual([]);
  });

  it('splits ids over several lines to stay below the size limit of Cloud Logging', () => {
    const lines: string[] = [];
    const audit = createAudit(testLog(lines), 'operator-1', () => 'republish');
    audit('changed', { patientIds: Array.from({ length: 2_500 }, (_, n) => n + 1) });
    audit('answered', { patientIds: [] });
    const ids = lines.map((line) => (JSON.parse(line) as { patient_ids: number[] }).patient_ids);
    expect(ids.map((some) => some.length)).toEqual([1_000, 1_000, 500]);
    expect(new Set(ids.flat()).size).toBe(2_500);
  });
});
