/** Entry of the operators' command (`npm run ops -- …`). */
import { opsEnvironment } from './context.ts';
import { Interrupted } from './interruption.ts';
import { runOps } from './program.ts';

const stop = new AbortController();
/** npm forwards a Ctrl-C that the terminal sends to this process as well; within this time both count as one. */
const SAME_KEY_MS = 500;
let askedAt = 0;

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    const now = performance.now();
    if (!stop.signal.aborted) {
      askedAt = now;
      process.stderr.write('\nStopping after the current step. Press Ctrl-C again to end at once.\n');
      stop.abort(new Interrupted());
    } else if (now - askedAt > SAME_KEY_MS) process.exit(130);
  });
}

const streams = { out: process.stdout, err: process.stderr };
process.exitCode = await runOps(process.argv.slice(2), await opsEnvironment(), streams, {
  signal: stop.signal,
});
