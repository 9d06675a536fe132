import { build, type Metafile } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundling } from './bundle.ts';
import { leanModule, separateEntries } from './lean-libraries.ts';

const root = new URL('../', import.meta.url).pathname;
const module = (name: string) => `${root}node_modules/${name}`;

describe('what a function loads at its start', () => {
  const names = ['patients-api', 'import-registration'];
  let metafile: Metafile;
  beforeAll(async () => {
    ({ metafile } = await build({
      ...bundling,
      absWorkingDir: root,
      entryPoints: {
        ...Object.fromEntries(names.map((name) => [name, `functions/${name}/index.ts`])),
        ...separateEntries,
      },
      outdir: 'dist',
      write: false,
      metafile: true,
    }));
  });

  it.each(names)(
    '%s loads Firestore, but neither its transport nor clients that the first calls may not need',
    (name) => {
      const loaded = packagesAtStart(metafile, `dist/${name}.js`);
      expect(loaded).toContain('@google-cloud/firestore');
      for (const later of [
        '@grpc/grpc-js',
        '@grpc/proto-loader',
        '@google-cloud/secret-manager',
        '@google-cloud/storage',
      ])
        expect(loaded).not.toContain(later);
    },
  );
});

/** The packages whose code is in an entry's file or in a file that it imports statically. */
function packagesAtStart({ outputs }: Metafile, entry: string): Set<string> {
  const files = [entry];
  // Grows while it is read.
  for (const file of files) {
    for (const { path, kind } of outputs[file]?.imports ?? [])
      if (kind === 'import-statement' && path in outputs && !files.includes(path)) files.push(path);
  }
  const inputs = files.flatMap((file) => Object.entries(outputs[file]?.inputs ?? {}));
  const names = inputs
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([input]) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? []);
  return new Set(names);
}

describe('a trimmed module', () => {
  it('loads an import where it is used, and keeps what is no import of a module', () => {
    const text = [
      'const status_1 = require("./status");',
      'const grpc = require("@grpc/grpc-js");',
      'exports.codes = () => [status_1.Status, status_10.Status, grpc.status];',
    ].join('\n');
    expect(leanModule(module('google-gax/build/src/x.js'), text).trim()).toBe(
      [
        'const grpc = require("@grpc/grpc-js");',
        'exports.codes = () => [(require("./status")).Status, status_10.Status, grpc.status];',
      ].join('\n'),
    );
  });

  it('stays as it is in every other package', () => {
    const text = 'const status_1 = require("./status");';
    expect(leanModule(module('kafkajs/index.js'), text)).toBe(text);
  });

  it('fails the build when a new version no longer holds what is replaced', () => {
    const edited = module('@google-cloud/firestore-api/build/src/index.js');
    expect(() => leanModule(edited, 'exports.v2 = {};')).toThrow(/no longer contains/);
    const json = module('@google-cloud/firestore-api/build/protos/protos.json');
    expect(() => leanModule(json, '{"nested":{}}')).toThrow(/no longer holds/);
  });
});
