import { expect, it } from 'vitest';
import { updatedReadme } from './configuration-table.ts';

it('stands in the README as the variables are (npm run configuration)', async () => {
  const { now, updated } = await updatedReadme();
  expect(now).toBe(updated);
  expect(now).toContain('`GCS_IMPORT_BUCKET`');
});
