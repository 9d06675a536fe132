import { expect, it } from 'vitest';
import { updatedPage } from './configuration-table.ts';

it('stands in docs/configuration.md as the variables are (npm run configuration)', async () => {
  const { now, updated } = await updatedPage();
  expect(now).toBe(updated);
  expect(now).toContain('`GCS_IMPORT_BUCKET`');
});
