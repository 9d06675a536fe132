import { describe, expect, it } from 'vitest';
import { createReconciler, type PublishedEvent } from './reconcile.ts';

/** `1.2` is event 2 of patient 1, `1.2x` is a deletion, and `1.2*` is another event with the same number. */
function reconcile(topic: string, stored: Record<number, number>, pending: number[] = [], complete = true) {
  const reconciler = createReconciler(complete);
  for (const word of topic.split(' ').filter(Boolean)) {
    const [, patient, sequence, mark] = /^(\d+)\.(\d+)([x*]?)$/.exec(word)!;
    const event: PublishedEvent = {
      patientId: Number(patient),
      sequence: Number(sequence),
      eventId: `${patient}-${sequence}${mark === '*' ? '-other' : ''}`,
      eventType: mark === 'x' ? 'patient.deleted' : 'patient.updated',
    };
    reconciler.add(event);
  }
  const last = new Map(Object.entries(stored).map(([id, sequence]) => [Number(id), sequence]));
  return reconciler.conclude(last, new Set(pending));
}

const problems = (...args: Parameters<typeof reconcile>) =>
  reconcile(...args).findings.map(
    ({ patientId, problem, sequence }) => `${patientId} ${problem} ${sequence}`,
  );

describe('reconciling', () => {
  it('finds nothing in a complete topic with exact repeats', () => {
    expect(reconcile('1.1 2.1 1.2 1.1 1.2 1.3', { 1: 3, 2: 1 })).toEqual({
      patients: 2,
      events: 6,
      repeats: 2,
      waiting: 0,
      findings: [],
    });
  });

  it.each([
    ['a last event that is neither published nor in the outbox', '1.1', { 1: 2 }, ['1 missing 2']],
    ['a patient without any published event', '', { 7: 1 }, ['7 missing 1']],
    ['a gap', '1.1 1.3', { 1: 3 }, ['1 gap 2']],
    ['events that first appear out of order', '1.1 1.3 1.2', { 1: 3 }, ['1 gap 2', '1 disorder 2']],
    ['two events with one number', '1.1 1.1*', { 1: 1 }, ['1 conflict 1']],
  ])('finds %s', (_, topic, stored, expected) => {
    expect(problems(topic, stored as Record<number, number>)).toEqual(expected);
  });

  it('counts a last event in the outbox as waiting, not as missing', () => {
    expect(reconcile('1.1', { 1: 2 }, [1])).toMatchObject({ waiting: 1, findings: [] });
  });

  it('accepts a gap directly before the deletion', () => {
    expect(problems('1.1 1.4x', {})).toEqual([]);
  });

  it('accepts any first number in a topic that has lost its beginning', () => {
    expect(problems('1.5 1.6', { 1: 6, 2: 3 }, [], false)).toEqual([]);
    expect(problems('1.5 1.7', { 1: 7 }, [], false)).toEqual(['1 gap 6']);
  });

  it('no longer reports an event as missing once it has arrived', () => {
    const reconciler = createReconciler(true);
    const event = { patientId: 1, eventId: 'a', eventType: 'patient.created' };
    const conclude = () => reconciler.conclude(new Map([[1, 2]]), new Set()).findings;
    reconciler.add({ ...event, sequence: 1 });
    expect(conclude()).toHaveLength(1);
    reconciler.add({ ...event, sequence: 2, eventId: 'b', eventType: 'patient.updated' });
    expect(conclude()).toEqual([]);
  });
});
