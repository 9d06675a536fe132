import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { testLog } from '../../../test/support/kafka.ts';
import { patientsWorld } from '../../../test/support/patients-world.ts';
import { patientId } from '../../../shared/patient/schema.ts';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { addAuditEntry, newAuditEntry } from '../../../shared/store/audit-trail.ts';
import { logAuditLeftovers } from './audit-leftovers.ts';

it('logs and removes the entries that a process left when it died, not those of one at work', async () => {
  const { db } = patientsWorld();
  const author = { actor: 'staff-1', role: 'staff', method: 'PATCH', route: '/api/patients/{id}' };
  const put = async (id: number) => {
    const entry = newAuditEntry(author, patientId.parse(id), ['hausarzt']);
    const batch = db.batch();
    addAuditEntry(db, batch, entry);
    await batch.commit();
    return entry;
  };
  const left = await put(1);
  const lines: string[] = [];
  const ended = new AbortController();
  const term = {
    signal: ended.signal,
    isHeld: () => !ended.signal.aborted,
    unsettledForMs: undefined,
    resign: () => ended.abort(),
  };
  let now = systemClock();
  const done = logAuditLeftovers({ db, clock: () => now, log: testLog(lines) }, term, 50);
  onTestFinished(async () => {
    ended.abort();
    await done;
    await db.terminate();
  });

  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(lines).toEqual([]);
  now = systemClock().add({ seconds: 91 });
  await eventually(async () => expect((await db.collection('audit_trail').get()).size).toBe(0));

  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { message: 'audit', audit_id: left.auditId, ...author, patient_id: 1, fields: ['hausarzt'] },
  ]);
});
