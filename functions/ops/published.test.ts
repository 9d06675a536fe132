import { expect, it } from 'vitest';
import { patientId } from '../../shared/patient/schema.ts';
import { writeEnvelope } from '../../shared/events/envelope.ts';
import { AUTUMN } from '../../test/support/builders.ts';
import { publishedEvent } from './published.ts';

const envelope = writeEnvelope(
  { type: 'patient.created', payload: { patient_id: 7 } },
  { eventId: 'e', sequence: 1, at: AUTUMN },
);
const read = (changed: object) => publishedEvent(Buffer.from(JSON.stringify({ ...envelope, ...changed })));

it('reads the events of this service', () => {
  expect(read({})).toEqual({
    patientId: patientId.parse(7),
    sequence: 1,
    eventId: 'e',
    eventType: 'patient.created',
  });
});

it.each([
  ['another producer', { producer: 'other' }],
  ['an id that no patient can have', { payload: { patient_id: 2 ** 31 } }],
  ['an id of 0', { payload: { patient_id: 0 } }],
  ['a number that no patient can have', { sequence: Number.MAX_SAFE_INTEGER }],
])('ignores a message of %s: the restore fence would raise the database above it', (_, changed) => {
  expect(read(changed)).toBe(undefined);
});
