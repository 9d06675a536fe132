/** Fills Firestore with invented patients and waiting events, in large batches. */
import type { Firestore, WriteBatch } from '@google-cloud/firestore';
import { registerPatient, restate } from '../../shared/patient/change.ts';
import { patientId, type PatientId } from '../../shared/patient/schema.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { addConsequences } from '../../shared/store/outbox.ts';
import { addPatient, fromSnapshot, patientDoc } from '../../shared/store/patients.ts';
import { aNewPatient, AUTUMN } from '../support/builders.ts';
import { personAt } from './population.ts';
import { rate } from './rows.ts';

const SEED = 11;
/** The service itself leases ids from 1 on. */
const FIRST_ID = 1_000_000;
const BATCH = 200;
/** Events that are added for one patient at a time. */
const EVENTS_EACH = 10;
const AT_ONCE = 4;

type Done = (done: number) => void;

/** Stores patients until there are `count`, each with its `patient.created` in the outbox. @param stored how many there are */
export async function addPatients(db: Firestore, stored: number, count: number, done: Done): Promise<void> {
  await inBatches(db, stored, count, BATCH, async (batch, numbers) => {
    for (const number of numbers) addPatient(db, batch, registered(number), AUTUMN);
    done(numbers.at(-1)! + 1);
  });
}

/** Adds events to the outbox, as changes of the first patients would: ten for each one, with their next numbers. */
export async function addEvents(db: Firestore, count: number, done: Done): Promise<void> {
  let added = 0;
  await inBatches(db, 0, count / EVENTS_EACH, BATCH / EVENTS_EACH, async (batch, numbers) => {
    const docs = await db.getAll(...numbers.map((number) => patientDoc(db, idOf(number))));
    for (const [at, number] of numbers.entries()) {
      const { patient } = registered(number);
      const events = Array.from({ length: EVENTS_EACH }, () => restate(patient).events).flat();
      const { sequence } = fromSnapshot(docs[at]!);
      const last = addConsequences(db, batch, patient.id, { events, mails: [] }, sequence, systemClock());
      batch.update(patientDoc(db, patient.id), { '_meta.sequence': last });
    }
    done((added += numbers.length * EVENTS_EACH));
  });
}

type Write = (batch: WriteBatch, numbers: readonly number[]) => Promise<void>;

async function inBatches(db: Firestore, from: number, to: number, size: number, write: Write): Promise<void> {
  const starts = Array.from({ length: Math.ceil((to - from) / size) }, (_, at) => from + at * size);
  await rate(starts, AT_ONCE, async (first) => {
    const batch = db.batch();
    await write(
      batch,
      Array.from({ length: Math.min(size, to - first) }, (_, at) => first + at),
    );
    await batch.commit();
  });
}

function registered(number: number) {
  return registerPatient(idOf(number), aNewPatient({ ...personAt(SEED, number) }), AUTUMN);
}

function idOf(number: number): PatientId {
  return patientId.parse(FIRST_ID + number);
}
