import { defineConfig } from 'vitest/config';

/** The long runs: processes are killed, connections cut, engines stopped, hostile input sent. One file at a time. */
export default defineConfig({
  test: {
    include: ['test/{faults,hostile}/**/*.test.ts'],
    globalSetup: ['test/support/engines.setup.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
