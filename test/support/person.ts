/** Searches for a person in every place where the service may have stored data. */
import type { Bucket } from '@google-cloud/storage';
import type { CollectionReference, Firestore } from '@google-cloud/firestore';

/** All documents and objects as text, by their path. Includes documents below missing ones. */
export async function everything(db: Firestore, bucket: Bucket): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const collection of await db.listCollections()) await readCollection(collection, found);
  const [files] = await bucket.getFiles();
  for (const file of files) {
    const [content] = await file.download();
    found.set(`object ${file.name}`, content.toString());
  }
  return found;
}

async function readCollection(collection: CollectionReference, found: Map<string, string>): Promise<void> {
  const [snapshot, refs] = await Promise.all([collection.get(), collection.listDocuments()]);
  for (const doc of snapshot.docs) found.set(`document ${doc.ref.path}`, JSON.stringify(doc.data()));
  const parents = refs.filter((ref) => ref.parent.parent === null);
  const below = await Promise.all(parents.map((ref) => ref.listCollections()));
  await Promise.all(below.flat().map((one) => readCollection(one, found)));
}

/** The places that contain any of the values. */
export function tracesOf(values: readonly string[], found: ReadonlyMap<string, string>): string[] {
  return [...found]
    .filter(([, text]) => values.some((value) => text.includes(value)))
    .map(([where]) => where);
}
