import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{functions,shared,infra}/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/{faults,hostile,load}/**', '**/node_modules/**'],
    globalSetup: ['test/support/engines.setup.ts'],
    // The engines and the tests share two cores: more workers only make them wait for each other.
    maxWorkers: 2,
    // Longer than any wait within a test: an abandoned test would go on beside the next, without its database.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
