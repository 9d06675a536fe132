/** Entry of the operators' command (`npm run ops -- …`). */
import { opsEnvironment } from './context.ts';
import { runOps } from './program.ts';

process.exitCode = await runOps(process.argv.slice(2), await opsEnvironment(), {
  out: process.stdout,
  err: process.stderr,
});
