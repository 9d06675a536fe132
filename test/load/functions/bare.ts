/**
 * The API's Firestore work without the API, as the baseline: one read, one batch or transaction that writes a patient and an
 * event, one query.
 */
import { randomUUID } from 'node:crypto';
import { FieldValue, Firestore } from '@google-cloud/firestore';
import { http, type Request, type Response } from '@google-cloud/functions-framework';

const db = new Firestore({ projectId: process.env['GOOGLE_CLOUD_PROJECT'] ?? '' });
let nextId = 1_000_000_000;

/** An outbox entry with the time of its commit, by which a relay orders the entries. */
function outboxEntry(entry: object): object {
  return { ...entry, created_at: FieldValue.serverTimestamp() };
}

const work: Record<string, (request: Request) => Promise<unknown>> = {
  read: async ({ query }) =>
    (
      await db
        .collection('patients')
        .doc(query['id'] as string)
        .get()
    ).data(),
  write: async ({ body }) => {
    const { patient, entry } = body as { patient: object; entry: object };
    const batch = db.batch();
    batch.create(db.collection('outbox').doc(randomUUID()), outboxEntry(entry));
    batch.create(db.collection('patients').doc(String(nextId++)), patient);
    await batch.commit();
    return patient;
  },
  change: async ({ query, body }) => {
    const { changes, entry } = body as { changes: object; entry: object };
    const doc = db.collection('patients').doc(query['id'] as string);
    return db.runTransaction(async (transaction) => {
      const patient = { ...(await transaction.get(doc)).data(), ...changes };
      transaction.create(db.collection('outbox').doc(randomUUID()), outboxEntry(entry));
      transaction.set(doc, patient);
      return patient;
    });
  },
  list: async () => {
    const ordered = db.collection('patients').orderBy('created_at', 'desc').orderBy('id', 'desc');
    return (await ordered.limit(50).get()).docs.map((doc) => doc.data());
  },
  search: async ({ query }) => {
    const found = db.collection('patients').where('_meta.grams', 'array-contains', query['gram']);
    const ordered = found.orderBy('created_at', 'desc').orderBy('id', 'desc');
    return (await ordered.select('vorname', 'nachname', 'email').get()).docs.map((doc) => doc.data());
  },
};

http('bare', async (request: Request, response: Response) => {
  response.json((await work[request.path.slice(1)]?.(request)) ?? {});
});
