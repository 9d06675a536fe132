/**
 * Keys that link a failed file to a person without naming them: HMAC-SHA256 of identifying data. The key of the HMAC is
 * random and created once for each database, `salts/person`. So the keys reveal nothing outside of the database, and
 * there is no configured secret that could be changed while records still depend on the old one.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { identifyingPairs } from '../patient/identity.ts';
import type { Patient } from '../patient/schema.ts';
import { isAlreadyExists, translated } from './firestore.ts';

/** A keyed hash of two values that together identify a person. */
export type PersonKey = string & { readonly personKey: true };

function saltDoc(db: Firestore): DocumentReference {
  return db.collection('salts').doc('person');
}

/** The key of the HMAC; undefined before the first failed file. @throws ServiceError `store.unavailable` */
export async function readSalt(db: Firestore): Promise<string | undefined> {
  const snapshot = await translated(() => saltDoc(db).get());
  return snapshot.get('salt') as string | undefined;
}

async function saltOf(db: Firestore): Promise<string> {
  const salt = await readSalt(db);
  if (salt !== undefined) return salt;
  const made = randomBytes(32).toString('hex');
  try {
    await translated(() => saltDoc(db).create({ salt: made }));
    return made;
  } catch (error) {
    if (isAlreadyExists(error)) return saltOf(db);
    throw error;
  }
}

/** {@link personKeys} of a patient; none before the first failed file. */
export function keysOfPatient(salt: string | undefined, patient: Patient): PersonKey[] {
  return salt === undefined ? [] : personKeys(salt, identifyingPairs(patient));
}

/** @param pairs of shared/patient/identity.ts */
export function personKeys(salt: string, pairs: readonly string[]): PersonKey[] {
  return pairs.map((pair) => createHmac('sha256', salt).update(pair).digest('hex') as PersonKey);
}

/** {@link personKeys} for a file that fails. @throws ServiceError `store.unavailable` */
export async function keysOfFile(db: Firestore, pairs: readonly string[]): Promise<PersonKey[]> {
  return pairs.length === 0 ? [] : personKeys(await saltOf(db), pairs);
}
