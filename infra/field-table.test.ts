import { expect, it } from 'vitest';
import { FIELD_NAMES } from '../shared/patient/schema.ts';
import { updatedPage } from './field-table.ts';

it('stands in docs/domain.md as the schema is (npm run fields)', async () => {
  const { now, updated } = await updatedPage();
  expect(now).toBe(updated);
  const fieldsInOrder = [...now.matchAll(/^\| `(\w+)` \|.*\|.*\|.*\|.*\|.*\|$/gm)].map(([, name]) => name);
  expect(fieldsInOrder).toEqual(FIELD_NAMES);
});
