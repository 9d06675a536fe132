import { expect, it } from 'vitest';
import { fieldTexts, ruleOf } from './fields.ts';

it('explains each field in English, without Markdown', () => {
  expect(fieldTexts().find(({ name }) => name === 'ort')?.meaning).toBe('town');
  for (const { meaning, type } of fieldTexts()) expect(`${meaning}${type}`).not.toMatch(/\]\(|`/);
});

it('finds the rule of the field that a pointer names, at any depth of the document', () => {
  expect(ruleOf('/patient_data/plz')).toContain('postal code');
  expect(ruleOf('/data/patient_data/symptome/0')).toContain('symptoms');
  expect(ruleOf('')).toBeNull();
});
