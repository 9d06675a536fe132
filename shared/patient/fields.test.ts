import { expect, it } from 'vitest';
import { FIRST_VERSION } from './field-row.ts';
import { fields } from './fields.ts';

it('a field added after the first version says since when', () => {
  const days = Object.values(fields).map(({ since }) => since);
  expect(days.filter((since) => since === FIRST_VERSION).length, 'a new row needs `since`').toBe(37);
  for (const since of days) expect(since).toMatch(/^\d{4}-\d{2}-\d{2}$/);
});
