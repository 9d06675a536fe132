/** Creates a communication history of any length. */
import type { Firestore } from '@google-cloud/firestore';
import type { PatientId } from '../../shared/patient/schema.ts';
import { utcTimestamp } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { addCommunication } from '../../shared/store/communication-history.ts';

const IN_ONE_BATCH = 400;

/** Adds `count` mails of about 400 bytes, one per second back from now, with the references `m-0`, `m-1`, … */
export async function addHistory(db: Firestore, id: PatientId, count: number): Promise<void> {
  for (let from = 0; from < count; from += IN_ONE_BATCH) {
    const batch = db.batch();
    for (let n = from; n < Math.min(count, from + IN_ONE_BATCH); n += 1) {
      const event_id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
      const occurred_at = utcTimestamp(systemClock().subtract({ seconds: n }));
      const entry = { event_id, event_type: 'email.sent', occurred_at, reference_id: `m-${n}` };
      addCommunication(db, batch, id, { ...entry, data: { subject: 'x'.repeat(200) } });
    }
    await batch.commit();
  }
}
