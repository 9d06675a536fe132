import { expect, it } from 'vitest';
import { fieldTexts, ruleOf } from './fields.ts';

it('says in English what each field means, without the marks of Markdown', () => {
  expect(fieldTexts().find(({ name }) => name === 'ort')?.meaning).toBe('town');
  for (const { meaning, type } of fieldTexts()) expect(`${meaning}${type}`).not.toMatch(/\]\(|`/);
});

it('finds the rule of the field that a pointer names, wherever the patient stands', () => {
  expect(ruleOf('/patient_data/plz')).toContain('postal code');
  expect(ruleOf('/data/patient_data/symptome/0')).toContain('symptoms');
  expect(ruleOf('')).toBeNull();
});
