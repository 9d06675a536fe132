import { expect, it } from 'vitest';
import { assertNoGaps, assertRepeatsAreExact, type HistoryEntry } from './history.ts';

const entry = (key: string, sequence: number, eventType = 'patient.updated'): HistoryEntry => ({
  key,
  value: JSON.stringify({ eventId: `${key}-${sequence}`, eventType, sequence }),
});

it('accepts interleaved patients and an exact repeat', () => {
  const history = [entry('1', 1), entry('2', 1), entry('1', 2), entry('1', 1), entry('2', 2)];
  assertNoGaps(history);
  assertRepeatsAreExact(history);
});

it('accepts a gap directly before an erasure', () => {
  assertNoGaps([entry('1', 1), entry('1', 4, 'patient.deleted')]);
});

it('refuses a gap', () => {
  expect(() => assertNoGaps([entry('1', 1), entry('1', 3)])).toThrow('number 3 after 1');
});

it('refuses a history that does not begin with 1', () => {
  expect(() => assertNoGaps([entry('1', 2)])).toThrow('number 2 after 0');
});

it('refuses two swapped events', () => {
  expect(() => assertNoGaps([entry('1', 1), entry('1', 3), entry('1', 2)])).toThrow();
});

it('refuses a repeat that differs', () => {
  const changed = { ...entry('1', 1), value: entry('1', 1).value.replace('updated', 'created') };
  expect(() => assertRepeatsAreExact([entry('1', 1), changed])).toThrow('came back changed');
});
