/**
 * Given a person with files, history and mails: a kill -9 of the API at any moment of their erasure leaves either the
 * whole person, or an erasure that another DELETE or the scheduled run completes. No answer shows half a person.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PatientId } from '../../shared/patient/schema.ts';
import { completeErasures } from '../../shared/registration/erase-patient.ts';
import { importObject } from '../../shared/registration/import-object.ts';
import { addCommunication } from '../../shared/store/communication-history.ts';
import { startApi, type Api } from '../support/api.ts';
import { aRegistration, aToken } from '../support/builders.ts';
import { importWorld } from '../support/import-world.ts';
import { eventually } from '../support/eventually.ts';
import { everything, tracesOf } from '../support/person.ts';
import { buildApi } from '../support/served-api.ts';

const KILLS = 6;

let build: Awaited<ReturnType<typeof buildApi>>;
let api: Api;
let files: Awaited<ReturnType<typeof importWorld>>['bucket'];
let drop: (content: object) => Promise<unknown>;
beforeAll(async () => {
  build = await buildApi();
  api = await startApi();
  const { db, bucket, allocatePatientId } = api.deps;
  const world = await importWorld({ db, bucket, allocatePatientId });
  const { deps } = world;
  ({ bucket: files } = world);
  drop = async (content) => {
    const name = `incoming/${crypto.randomUUID()}.json`;
    const file = files.file(name);
    await file.save(JSON.stringify(content), { resumable: false, contentType: 'application/json' });
    const uploadedAt = deps.clock();
    return importObject(deps, { name, generation: String(file.metadata.generation), bytes: 1, uploadedAt });
  };
});
afterAll(() => build.remove());

async function aPerson(name: string): Promise<{ id: PatientId; values: string[] }> {
  const token = aToken();
  const registration = aRegistration({ nachname: name }, { registration_token: token });
  for (const content of [registration, registration, { ...registration, unknown_key: 1 }])
    await drop(content);
  const found = await api.db.collection('patients').where('nachname', '==', name).get();
  const id = found.docs[0]?.get('id') as PatientId;
  const batch = api.db.batch();
  for (let at = 0; at < 10; at += 1) {
    addCommunication(api.db, batch, id, {
      event_id: `${name}-${at}`,
      event_type: 'email.sent',
      occurred_at: '2026-11-01T10:00:00.000Z',
      reference_id: String(at),
      data: { name },
    });
  }
  await batch.commit();
  return { id, values: [name, token] };
}

/** Resolves when the start of the erasure is stored and the patient is gone. */
async function begun(id: PatientId): Promise<void> {
  const job = api.db.collection('erasures').doc(String(id));
  for (let look = 0; look < 2_000; look += 1) if ((await job.get()).exists) return;
}

describe('kill -9 during an erasure', () => {
  it(`${KILLS} times, before, during or after it, loses no erasure`, async () => {
    let cutOff = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { id, values } = await aPerson(`Opfer${kill}x`);
      const served = await build.start({
        GOOGLE_CLOUD_PROJECT: api.config.GOOGLE_CLOUD_PROJECT,
        GCS_IMPORT_BUCKET: api.config.GCS_IMPORT_BUCKET,
        ...api.issuer.environment,
      });
      const request = fetch(`${served.url}/api/patients/${id}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${api.issuer.tokens.admin}` },
      }).catch(() => undefined);
      // Some kills come before it begins or after it ends, the others in the middle.
      if (kill % 2 === 0) await delay(Math.random() * 600);
      else await Promise.race([begun(id), request]);
      await served.kill();
      await request;

      const answer = await api.send('GET', `/api/patients/${id}`);
      const job = await api.db.collection('erasures').doc(String(id)).get();
      const traces = tracesOf(values, await everything(api.db, files));
      if (answer.status === 200) expect(job.exists).toBe(false);
      if (answer.status === 404 && !job.exists) expect(traces).toEqual([]);
      if (job.exists) cutOff += 1;

      const byCheck = job.exists && kill % 4 < 2;
      if (byCheck) await completeErasures(api.deps);
      else if (answer.status === 200 || job.exists) {
        // Firestore keeps the locks of a transaction for a minute after its holder died.
        const erased = async () => expect((await api.send('DELETE', `/api/patients/${id}`)).status).toBe(204);
        await eventually(erased, 200_000);
      }
      expect(tracesOf(values, await everything(api.db, files))).toEqual([]);
      expect((await api.events(id)).map((event) => event.eventType)).toEqual(['patient.deleted']);
    }
    console.log(`${cutOff} of ${KILLS} erasures were cut off half-way`);
    expect(cutOff).toBeGreaterThan(0);
    expect((await api.db.collection('erasures').get()).size).toBe(0);
  });
});
