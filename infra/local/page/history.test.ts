import { expect, it } from 'vitest';
import { createTopicHistory } from './history.ts';

let offset = 0n;
const message = (patient_id: number, sequence: number, eventId = `${patient_id}-${sequence}`) => ({
  topic: 'patient-events',
  partition: 0,
  offset: (offset += 1n),
  timestamp: 0,
  key: null,
  headers: {},
  value: Buffer.from(
    JSON.stringify({
      eventId,
      eventType: 'patient.updated',
      timestamp: '2026-11-30T10:00:00Z',
      sequence,
      payload: { patient_id },
    }),
  ),
});
const problems = (history: ReturnType<typeof createTopicHistory>, stored: Record<number, number>) =>
  history
    .conclude(new Map(Object.entries(stored).map(([id, last]) => [Number(id), last])), new Set())
    .findings.map(({ problem }) => problem);

it("keeps a patient's events by number, with the number of their copies on the topic", () => {
  const history = createTopicHistory();
  for (const event of [message(7, 1), message(8, 1), message(7, 2), message(7, 1)]) history.add(event);
  expect(history.eventsOf(7).map(({ sequence, times }) => [sequence, times])).toEqual([
    [1, 2],
    [2, 1],
  ]);
  expect(history.eventsOf(9)).toEqual([]);
  expect(problems(history, { 7: 2, 8: 1 })).toEqual([]);
});

it.each([
  ['a number that Firestore has and the topic lacks', [message(7, 1)], 'missing'],
  ['a gap', [message(7, 1), message(7, 3)], 'gap'],
  ['two events with one number', [message(7, 1), message(7, 1, 'another')], 'conflict'],
])('finds %s', (_, events, problem) => {
  const history = createTopicHistory();
  for (const event of events) history.add(event);
  expect(problems(history, { 7: problem === 'missing' ? 2 : 1 })).toContain(problem);
});

it('starts over at a new beginning', () => {
  const history = createTopicHistory();
  for (const event of [message(7, 1), message(7, 2)]) history.add(event);
  history.begin(false);
  history.add(message(7, 2));
  expect(history.eventsOf(7).map(({ sequence, times }) => [sequence, times])).toEqual([[2, 1]]);
  expect(problems(history, { 7: 2 })).toEqual([]);
});

it('ignores messages that are not events', () => {
  const history = createTopicHistory();
  history.add({ ...message(7, 1), value: null });
  history.add({ ...message(7, 1), value: Buffer.from('{') });
  expect(history.eventsOf(7)).toEqual([]);
});
