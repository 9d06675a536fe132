import { expect, it } from 'vitest';
import { systemClock } from '../../../shared/platform/system-clock.ts';
import { readRegistrationFile } from '../../../shared/registration/registration-file.ts';
import { brokenExample, goodExample } from './examples.ts';

const now = systemClock();
const read = (content: string) =>
  readRegistrationFile(Buffer.from(content), { key: undefined, environment: 'local' }, now, now);

it('invents registrations that the import accepts, each of a different person', () => {
  const files = Array.from({ length: 50 }, goodExample);
  const registrations = files.map(({ content }) => read(content));
  expect(registrations.filter((registration) => 'error' in registration)).toEqual([]);
  expect(new Set(registrations.map(({ tokenHash }) => tokenHash)).size).toBe(50);
});

it('invents files that the import refuses, each for its own reason', () => {
  const files = Array.from({ length: 6 }, (_, number) => brokenExample(number));
  const refused = files.filter(({ name }) => name.endsWith('.json')).map(({ content }) => read(content));
  expect(refused.map((file) => ('error' in file ? file.error.code : 'taken'))).not.toContain('taken');
  expect(new Set(files.map(({ name }) => name)).size).toBe(6);
});
