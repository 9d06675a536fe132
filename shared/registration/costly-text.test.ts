/** Texts that take seconds to normalise, in every place of a registration file. Each is refused without being normalised, naming the field. */
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { aRegistration } from '../../test/support/builders.ts';
import { expectCheapNormalising } from '../../test/support/normalised.ts';
import { textFieldsOfFiles } from '../../test/support/text-fields.ts';
import { readRegistrationFile } from './registration-file.ts';

const NOW = Temporal.Instant.from('2026-11-02T09:00:00Z');
const marks = 'a' + '\u0301'.repeat(240_000) + '\u0323'.repeat(240_000);

async function violationsOf(registration: object) {
  const bytes = Buffer.from(JSON.stringify(registration));
  const file = await expectCheapNormalising(() =>
    readRegistrationFile(bytes, { key: undefined, environment: 'test' }, NOW, NOW),
  );
  return 'error' in file ? file.error.violations.map(({ pointer }) => pointer) : [];
}

describe('a file of almost 1 MiB of combining marks', () => {
  it.each(textFieldsOfFiles)('is refused for its %s', async (name) => {
    expect(await violationsOf(aRegistration({ [name]: marks }))).toEqual([`/patient_data/${name}`]);
  });

  it('is refused for its list items, keys, token, time and consent', async () => {
    const inExclusion = { ausgeschlossene_therapeuten: [{ id: 1, reason: marks }] };
    expect(await violationsOf(aRegistration({ symptome: [marks] }))).toEqual(['/patient_data/symptome/0']);
    expect(await violationsOf(aRegistration(inExclusion))).toEqual([
      '/patient_data/ausgeschlossene_therapeuten/0/reason',
    ]);
    expect(await violationsOf(aRegistration({ [marks]: 1 }))).toEqual(['/patient_data']);
    for (const name of ['registration_token', 'registration_timestamp']) {
      expect(await violationsOf(aRegistration({}, { [name]: marks }))).toEqual([`/${name}`]);
    }
    expect(await violationsOf(aRegistration({}, { consent_metadata: { user_agent: marks } }))).toEqual([
      '/consent_metadata',
    ]);
  });

  it('is refused for more than 100 exclusions, with their pointer', async () => {
    const many = Array.from({ length: 101 }, (_, at) => at + 1);
    expect(await violationsOf(aRegistration({ ausgeschlossene_therapeuten: many }))).toEqual([
      '/patient_data/ausgeschlossene_therapeuten',
    ]);
  });
});
