/** The deployables as their images start them (infra/Dockerfile): the bundle in production mode. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundle, deployables, type Deployable } from '../../infra/bundle.ts';
import { invented } from '../../infra/local/invented.ts';
import { freePort, HOST } from '../../infra/local/ports.ts';

/** The program that serves a function, as npm installs it. The bundles hold it, too. */
export const FRAMEWORK = join(
  import.meta.dirname,
  '../../node_modules/@google-cloud/functions-framework/build/src/main.js',
);

/** How to start a program: Node's arguments, its folder and its environment without the port. */
export interface Form {
  readonly args: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Bundles a deployable and, for a function, makes the compile cache that the image's build makes.
 * @param dist folder of the bundles
 * @param environment overrides the variables with which every deployable starts
 */
export async function asInTheImage(
  name: Deployable,
  dist: string,
  environment: NodeJS.ProcessEnv,
): Promise<Form> {
  await bundle(name, dist);
  const folder = join(dist, name);
  const target = deployables[name];
  const isFunction = target !== undefined;
  const form = {
    args: [isFunction ? 'main.js' : 'index.js'],
    folder,
    environment: {
      ...process.env,
      ...invented,
      GOOGLE_CLOUD_PROJECT: 'start',
      GCS_IMPORT_BUCKET: 'start',
      COMMUNICATION_SERVICE_URL: `http://${HOST}:9`,
      NODE_ENV: 'production',
      ...environment,
      ...(isFunction
        ? { FUNCTION_TARGET: target, NODE_COMPILE_CACHE: join(dist, 'compile-cache', name) }
        : {}),
    },
  };
  const env = { ...form.environment, PORT: String(await freePort()) };
  if (isFunction) await promisify(execFile)(process.execPath, ['warm.js'], { cwd: folder, env });
  return form;
}
