import { expect, it } from 'vitest';
import { createSentNumbers } from './sent-numbers.ts';

const event = (patientId: number, sequence: number, eventType = 'patient.updated') => ({
  patientId,
  sequence,
  eventType,
});

it.each([
  ['the first events of patients', [event(1, 1), event(2, 1), event(1, 2)], true],
  ['a later event of a patient of whom nothing was sent', [event(3, 2)], false],
  ['the event after the one that was sent', [event(7, 5)], true],
  ['two of them, the later one first', [event(7, 6), event(7, 5)], true],
  ['an event behind a gap', [event(7, 6)], false],
  ['an event that was sent already', [event(7, 4)], false],
  ['a deletion', [event(7, 5, 'patient.deleted')], false],
  ['one patient in order beside one who is not', [event(1, 1), event(3, 2)], false],
])('knows %s', (_, events, isNext) => {
  const numbers = createSentNumbers();
  for (const sent of [event(7, 3), event(7, 4)]) numbers.acknowledged(sent);
  expect(numbers.areNext(events)).toBe(isNext);
});

it('forgets the patient of whom it heard least lately, so that its events are looked for', () => {
  const numbers = createSentNumbers(2);
  for (const sent of [event(1, 1), event(2, 1), event(1, 2), event(3, 1)]) numbers.acknowledged(sent);
  expect(numbers.areNext([event(1, 3)])).toBe(true);
  expect(numbers.areNext([event(2, 2)])).toBe(false);
});
