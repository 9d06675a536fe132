/**
 * Builds the deployables: ES modules with only the code that each uses, functions-framework included (`npm run build`).
 * They need Node and nothing else.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { leanModule, separateEntries, separateLibraries } from './lean-libraries.ts';
import { sbomOf, sbomOfLockFile } from './sbom.ts';

const root = new URL('../', import.meta.url);

/** Deployable → the export that functions-framework serves; the worker and the operators' command are plain processes. */
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

/** File of the bundle → its entry point. */
function entriesOf(name: Deployable): Record<string, string> {
  return {
    index: `functions/${name}/index.ts`,
    ...(name === 'ops' ? { serve: 'functions/ops/serve.ts' } : {}),
    ...(deployables[name] === undefined ? {} : { main: frameworkMain, warm: 'infra/warm.ts' }),
  };
}

/** The process that serves a function. */
const frameworkMain = 'node_modules/@google-cloud/functions-framework/build/src/main.js';

/** A source map with one mapping, since esbuild ignores an empty one: https://github.com/evanw/esbuild/issues/1685#issuecomment-944916409 */
const SMALLEST_MAP = `//# sourceMappingURL=data:application/json;base64,${Buffer.from('{"version":3,"sources":["library"],"names":[],"mappings":"AAAA"}').toString('base64')}`;

/** Trims libraries and leaves them out of the source maps: stack traces need only our code, and the map is read while an error is reported. */
const libraries: Plugin = {
  name: 'libraries',
  setup(build) {
    build.onLoad({ filter: /node_modules\/.*\.[cm]?js$/ }, async ({ path }) => ({
      contents: `${leanModule(path, await readFile(path, 'utf8'))}\n${SMALLEST_MAP}`,
      loader: 'js',
    }));
    build.onLoad({ filter: /node_modules\/.*\.json$/ }, async ({ path }) => ({
      contents: leanModule(path, await readFile(path, 'utf8')),
      loader: 'json',
    }));
  },
};

/** The esbuild options of all deployables. */
export const bundling = {
  bundle: true,
  platform: 'node',
  target: bundleTarget,
  format: 'esm',
  // Code that a function needs later, such as Secret Manager, goes to separate files that the start does not read.
  splitting: true,
  sourcemap: true,
  sourcesContent: false,
  plugins: [separateLibraries, libraries],
  logLevel: 'warning',
  // Google's clients are CommonJS inside; an ES module has no `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; import { fileURLToPath as __fileURLToPath } from 'node:url'; const require = __createRequire(import.meta.url); const __filename = __fileURLToPath(import.meta.url); const __dirname = __fileURLToPath(new URL('.', import.meta.url));",
  },
} satisfies BuildOptions;

/** @param dist folder of the bundles */
export async function bundle(
  name: Deployable,
  dist = new URL('dist', root).pathname,
): Promise<{ bytes: number; packages: ReadonlySet<string> }> {
  const target = new URL(`${name}/`, `file://${dist}/`);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: new URL('.', root).pathname,
    entryPoints: { ...entriesOf(name), ...separateEntries },
    outdir: target.pathname,
    metafile: true,
    ...bundling,
  });
  await writeFile(new URL('package.json', target), `${JSON.stringify(await manifest(name), undefined, 2)}\n`);
  await copyAssets(name, target);
  return {
    bytes: Object.entries(metafile.outputs).reduce(
      (sum, [file, { bytes }]) => (file.endsWith('.js') ? sum + bytes : sum),
      0,
    ),
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
  };
  return {
    name,
    version: own.version,
    private: true,
    type: 'module',
    main: 'index.js',
    engines: own.engines,
  };
}

/** Files of a package that a deployable serves itself, so that its page loads nothing from another host. */
const served: Partial<Record<Deployable, readonly string[]>> = {
  'patients-api': ['swagger-ui-dist/swagger-ui.css', 'swagger-ui-dist/swagger-ui-bundle.js'],
};

/** Files that a deployable reads at run time, from its folder's `assets/`. */
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
    const sbom = sbomOf(name, lockFile, packages);
    await writeFile(new URL(`dist/${name}/sbom.cdx.json`, root), `${JSON.stringify(sbom, undefined, 2)}\n`);
    console.log(`built dist/${name}  ${(bytes / 1024).toFixed(0)} KiB`);
  }
}
