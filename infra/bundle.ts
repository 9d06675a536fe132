/**
 * Builds what is deployed: one ES module for each function, holding only what it uses (`npm run build`).
 * functions-framework stays outside the bundles: inlined, it would keep a second registry of functions.
 */
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build } from 'esbuild';
import { sbomOf, sbomOfLockFile } from './sbom.ts';

const root = new URL('../', import.meta.url);
const framework = '@google-cloud/functions-framework';

/** Deployable → entry point registered with functions-framework; the worker and the operators' command are plain processes. */
export const deployables = {
  'import-registration': 'importRegistration',
  'patients-api': 'patientsApi',
  'check-health': 'checkHealth',
  'kafka-worker': undefined,
  ops: undefined,
} as const;

/** The engine that runs the bundles. */
export const bundleTarget = 'node24';

export type Deployable = keyof typeof deployables;

/** Further entry points of a deployable: file of the bundle → source below its folder. */
const furtherEntries: Partial<Record<Deployable, Record<string, string>>> = {
  ops: { serve: 'serve.ts' },
};

/** @param dist folder of the bundles; below the root, where they find functions-framework */
export async function bundle(
  name: Deployable,
  dist = new URL('dist', root).pathname,
): Promise<{ bytes: number; packages: ReadonlySet<string> }> {
  const target = new URL(`${name}/`, `file://${dist}/`);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  const { metafile } = await build({
    metafile: true,
    entryPoints: Object.fromEntries(
      Object.entries({ index: 'index.ts', ...furtherEntries[name] }).map(([output, source]) => [
        output,
        new URL(`functions/${name}/${source}`, root).pathname,
      ]),
    ),
    outdir: target.pathname,
    bundle: true,
    platform: 'node',
    target: bundleTarget,
    format: 'esm',
    sourcemap: true,
    sourcesContent: false,
    external: [framework],
    logLevel: 'warning',
    // Google's clients are CommonJS inside; an ES module has no require of its own.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; import { fileURLToPath as __fileURLToPath } from 'node:url'; const require = __createRequire(import.meta.url); const __filename = __fileURLToPath(import.meta.url); const __dirname = __fileURLToPath(new URL('.', import.meta.url));",
    },
  });
  await writeFile(new URL('package.json', target), `${JSON.stringify(await manifest(name), undefined, 2)}\n`);
  await copyAssets(name, target);
  return {
    bytes: (await stat(new URL('index.js', target))).size,
    packages: await packagesOf(Object.keys(metafile.inputs), served[name] ?? []),
  };
}

/** `name@version` of every package that files below node_modules/ come from. */
async function packagesOf(
  inputs: readonly string[],
  assets: readonly string[],
): Promise<ReadonlySet<string>> {
  const files = [...inputs, ...assets.map((asset) => `node_modules/${asset}`)];
  const folders = new Set(
    files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
  );
  const names = [...folders].map(async (folder) => {
    const text = await readFile(new URL(`${folder}/package.json`, root), 'utf8');
    const { name, version } = JSON.parse(text) as { name: string; version: string };
    return `${name}@${version}`;
  });
  return new Set(await Promise.all(names));
}

async function manifest(name: Deployable): Promise<object> {
  const own = JSON.parse(await readFile(new URL('package.json', root), 'utf8')) as {
    version: string;
    engines: object;
    dependencies: Record<string, string>;
  };
  return {
    name,
    version: own.version,
    private: true,
    type: 'module',
    main: 'index.js',
    engines: own.engines,
    dependencies: deployables[name] === undefined ? {} : { [framework]: own.dependencies[framework] },
  };
}

/** Files of a package that a deployable serves, brought along so that its page asks no one else for them. */
const served: Partial<Record<Deployable, readonly string[]>> = {
  'patients-api': ['swagger-ui-dist/swagger-ui.css', 'swagger-ui-dist/swagger-ui-bundle.js'],
};

/** Files that a deployable reads at run time stand in its folder's `assets/`. */
async function copyAssets(name: Deployable, target: URL): Promise<void> {
  const assets = new URL('assets/', target);
  await cp(new URL(`functions/${name}/assets/`, root), assets, { recursive: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    },
  );
  for (const file of served[name] ?? []) {
    await cp(new URL(import.meta.resolve(file)), new URL(basename(file), assets));
  }
}

if (import.meta.main) {
  const lockFile = await sbomOfLockFile(root);
  for (const name of Object.keys(deployables) as Deployable[]) {
    const { bytes, packages } = await bundle(name);
    const sbom = sbomOf(name, lockFile, packages, deployables[name] === undefined ? [] : [framework]);
    await writeFile(new URL(`dist/${name}/sbom.cdx.json`, root), `${JSON.stringify(sbom, undefined, 2)}\n`);
    console.log(`built dist/${name}  ${(bytes / 1024).toFixed(0)} KiB`);
  }
}
