/** A function as deployed: its bundle under functions-framework, in a separate process. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, deployables, type Deployable } from '../../infra/bundle.ts';
import { freePort, HOST } from '../../infra/local/ports.ts';
import { launch, type Running } from '../../infra/local/process.ts';
import { untilReady } from '../../infra/local/ready.ts';

/** Bundles a function into a new folder. `start` runs it and may be called repeatedly. */
export async function buildApi(
  deployable: Exclude<Deployable, 'kafka-worker' | 'ops'> = 'patients-api',
  isReady = (url: string) => fetch(`${url}/livez`).then(({ ok }) => ok),
) {
  const dist = join(import.meta.dirname, '../../.local', `api-${randomUUID().slice(0, 8)}`);
  const { bytes } = await bundle(deployable, dist);
  return {
    bytes,
    logFile: join(dist, 'api.log'),
    async start(environment: Readonly<Record<string, string>>): Promise<Running & { url: string }> {
      const port = await freePort();
      const running = launch({
        command: process.execPath,
        args: [join(dist, deployable, 'main.js'), `--source=${join(dist, deployable)}`],
        env: { ...process.env, ...environment, FUNCTION_TARGET: deployables[deployable], PORT: String(port) },
        logFile: join(dist, 'api.log'),
      });
      const url = `http://${HOST}:${port}`;
      await untilReady(running, deployable, () => isReady(url));
      return { ...running, url };
    },
    remove: () => rm(dist, { recursive: true, force: true }),
  };
}
