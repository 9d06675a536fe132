/** The page's own files. The browser code is TypeScript, bundled on the first request. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, stop as stopBundler } from 'esbuild';

const folder = new URL('assets/', import.meta.url);

interface Asset {
  readonly type: string;
  readonly read: () => Promise<string>;
}

const text = (file: URL | string) => () => readFile(file, 'utf8');
const swagger = (name: string) => fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`));
const CSS = 'text/css; charset=utf-8';
const JAVASCRIPT = 'text/javascript; charset=utf-8';

const assets: Readonly<Record<string, Asset>> = {
  'page.css': { type: CSS, read: text(new URL('page.css', folder)) },
  'page.js': { type: JAVASCRIPT, read: once(bundleBrowser) },
  'docs.js': { type: JAVASCRIPT, read: text(new URL('docs.js', folder)) },
  'swagger-ui.css': { type: CSS, read: text(swagger('swagger-ui.css')) },
  'swagger-ui-bundle.js': { type: JAVASCRIPT, read: text(swagger('swagger-ui-bundle.js')) },
};

/** @returns undefined when there is no such file */
export async function readAsset(name: string): Promise<{ type: string; body: string } | undefined> {
  const asset = Object.hasOwn(assets, name) ? assets[name] : undefined;
  return asset === undefined ? undefined : { type: asset.type, body: await asset.read() };
}

export const readDocument = (name: 'page.html' | 'docs.html'): Promise<string> =>
  text(new URL(name, folder))();

async function bundleBrowser(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('browser/main.tsx', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2023',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    logLevel: 'silent',
  });
  // Otherwise esbuild's service process keeps running beside the stack.
  await stopBundler();
  return outputFiles[0]?.text ?? '';
}

/** A failure is not cached. */
function once(read: () => Promise<string>): () => Promise<string> {
  let reading: Promise<string> | undefined;
  return () =>
    (reading ??= read().catch((error: unknown) => {
      reading = undefined;
      throw error;
    }));
}
