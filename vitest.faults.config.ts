import { defineConfig } from 'vitest/config';

/** The long runs: processes are killed, connections cut, engines stopped, hostile input sent. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'hostile',
          include: ['test/hostile/hostile.test.ts'],
          globalSetup: ['test/support/engines.setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Alone: it expects that nothing stands for more than two seconds, and another test would take its processor.
          sequence: { groupOrder: 0 },
          maxWorkers: 1,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts', 'test/hostile/random-inputs.test.ts'],
          globalSetup: ['test/support/engines.setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // A file that stops engines starts its own, and waits most of the time.
          sequence: { groupOrder: 1 },
          maxWorkers: 2,
        },
      },
    ],
  },
});
