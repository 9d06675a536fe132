import { describe, expect, it } from 'vitest';
import { expectCheapNormalising } from '../../test/support/normalised.ts';
import { communicationEventPayloads, therapistEventPayloads } from './consumed-events.ts';

/** 1 MiB of text that takes seconds to normalise. */
const marks = 'a' + '\u0301'.repeat(260_000) + '\u0323'.repeat(260_000);

const email = { email_id: 7, email_data: {}, communication_type: 'email', patient_id: 1 };
const call = { call_id: 'c-7', call_data: {}, communication_type: 'call', patient_id: 1 };
const therapist = { therapist_id: 7, therapist_data: {} };
const { 'email.sent': emailSent, 'phone_call.completed': callCompleted } = communicationEventPayloads;
const blocked = therapistEventPayloads['therapist.blocked'];

it.each([
  ['email_id', emailSent, email],
  ['communication_type', emailSent, email],
  ['call_id', callCompleted, call],
  ['outcome', callCompleted, call],
  ['reason', blocked, therapist],
])('a lone surrogate is refused in %s', (name, schema, payload) => {
  expect(schema.safeParse({ ...payload, [name]: '🙂' }).success).toBe(true);
  expect(schema.safeParse({ ...payload, [name]: 'a\ud800' }).error?.issues[0]?.path).toEqual([name]);
});

describe('a text of 1 MiB that is costly to normalise', () => {
  it.each([
    ['email_id', emailSent, email],
    ['communication_type', emailSent, email],
    ['call_id', callCompleted, call],
    ['outcome', callCompleted, call],
    ['reason', blocked, therapist],
  ])('is refused without being normalised as %s', async (name, schema, payload) => {
    expect(schema.safeParse(payload).success).toBe(true);
    const read = await expectCheapNormalising(() => schema.safeParse({ ...payload, [name]: marks }));
    expect(read.error?.issues[0]?.path).toEqual([name]);
  });

  it.each([
    ['email_data', emailSent, email],
    ['call_data', callCompleted, call],
    ['therapist_data', blocked, therapist],
  ])('is not normalised in %s', async (name, schema, payload) => {
    const read = await expectCheapNormalising(() =>
      schema.parse({ ...payload, [name]: { betreff: marks, [marks]: 1 } }),
    );
    expect(read).toMatchObject({ [name]: { betreff: marks } });
  });
});
