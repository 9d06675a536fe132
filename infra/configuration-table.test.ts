import { expect, it } from 'vitest';
import { updatedPage } from './configuration-table.ts';

it('matches the variables in docs/configuration.md (npm run configuration)', async () => {
  const { now, updated } = await updatedPage();
  expect(now).toBe(updated);
  expect(now).toContain('`GCS_IMPORT_BUCKET`');
});
