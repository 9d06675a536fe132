/** The survey of a restored database, tested on lists instead of a database. */
import { describe, expect, it } from 'vitest';
import { patientId, type PatientId } from '../../shared/patient/schema.ts';
import { createSurvey, type SurveyInput } from './restore-survey.ts';

const id = (number: number): PatientId => patientId.parse(number);

/** `7.5` is event 5 of patient 7, `7.6x` their deletion; `stored` maps patients to their numbers. */
function survey(topic: string, stored: Record<number, number>, known: Partial<SurveyInput> = {}) {
  const made = createSurvey({ waiting: [], ledger: new Set(), jobs: [], fenced: true, ...known });
  for (const word of topic.split(' ').filter(Boolean)) {
    const [, patient, sequence, mark] = /^(\d+)\.(\d+)(x?)$/.exec(word)!;
    made.addEvent({
      patientId: Number(patient),
      sequence: Number(sequence),
      eventId: `${patient}.${sequence}`,
      eventType: mark === 'x' ? 'patient.deleted' : 'patient.updated',
    });
  }
  for (const [patient, sequence] of Object.entries(stored)) made.addPatient(id(Number(patient)), sequence);
  return made;
}

const waiting = (patient: number, sequence: number, eventId = `${patient}.${sequence}`) => ({
  eventId,
  patientId: id(patient),
  sequence,
});

describe('a restored database', () => {
  it('is behind for patients with later events on the topic, and has lost patients it does not hold', () => {
    expect(survey('7.4 7.5 8.1 1001.1', { 7: 4, 8: 1 }).conclude(false)).toEqual({
      highestId: 1001,
      behind: [7],
      erased: [],
      lost: [1001],
    });
  });

  it('reports patients that came back although the topic or the ledger has them as erased, and misses no erased one', () => {
    const found = survey('3.1 3.2x 5.1 6.1 6.2x', { 3: 1, 4: 2 }, { ledger: new Set([4, 5, 2000]) });
    expect(found.conclude(false)).toEqual({ highestId: 2000, behind: [3], erased: [3, 4], lost: [] });
  });

  it('completes erasures that were under way at the time of the backup', () => {
    const found = survey('9.1', {}, { jobs: [id(9)] }).conclude(false);
    expect(found).toMatchObject({ behind: [9], erased: [9], lost: [] });
  });

  it('is behind for every patient when the topic no longer reaches back far enough', () => {
    expect(survey('', { 1: 1, 2: 5 }).conclude(true).behind).toEqual([1, 2]);
  });

  it('knows whether the topic has every event since the backup', () => {
    const whole = { complete: true, since: 0 };
    const cutAt = (since: number | undefined) => ({ complete: false, since });
    expect(survey('1.1 2.1', { 1: 1, 2: 1 }).isCovered(whole, 1_000)).toBe(true);
    expect(survey('1.1', { 1: 1, 2: 1 }, { waiting: [waiting(2, 1)] }).isCovered(whole, 1_000)).toBe(true);
    expect(survey('3.1', { 3: 1 }).isCovered(cutAt(1_000), 1_000)).toBe(true);
    expect(survey('3.1', { 3: 1 }).isCovered(cutAt(1_001), 1_000)).toBe(false);
    expect(survey('3.1', { 3: 1 }).isCovered(cutAt(undefined), 1_000)).toBe(false);
    expect(survey('3.1', { 3: 1 }).isCovered(cutAt(0), undefined)).toBe(false);
  });

  it('does not take a topic that was deleted and created again for a whole one', () => {
    const recreated = { complete: true, since: 0 };
    expect(survey('', { 1: 1 }).isCovered(recreated, 1_000)).toBe(false);
    expect(survey('1.7 9.1', { 1: 5, 2: 3 }).isCovered(recreated, 1_000)).toBe(false);
  });

  it('tells waiting events that were published from those whose number another event has taken', () => {
    const found = survey(
      '7.4 7.5',
      { 7: 5 },
      { waiting: [waiting(7, 4), waiting(7, 5, 'other'), waiting(7, 6)] },
    );
    expect(found.conclude(false).behind).toEqual([7]);
    const state = found.publishedOf(id(7), 0);
    expect(['7.4', 'other', '7.6'].map((event) => state.isPublished(event))).toEqual([true, false, false]);
    expect(['7.4', 'other', '7.6', 'later'].map((event) => state.isUnpublished(event))).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });
});

describe('a running service', () => {
  it('is not behind when an event was published a moment ago or arrived during the survey', () => {
    const found = survey('7.4 7.5', { 7: 5 }, { fenced: false, waiting: [waiting(7, 5)], jobs: [id(8)] });
    expect(found.conclude(false)).toMatchObject({ behind: [], erased: [] });
    expect(found.publishedOf(id(7), 0).isUnpublished('later')).toBe(false);
  });
});
