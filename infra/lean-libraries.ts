/**
 * Lets the bundles load only the parts of large libraries that the service uses, and only when it uses them. As published,
 * Google's clients load every API, transport and kind of credentials that they support. An edit that does not fit a new
 * version of a library fails the build.
 */
import type { Plugin } from 'esbuild';

const modules = new URL('../node_modules/', import.meta.url).pathname;

/** File of a bundle → the library module that it holds, which is read when it is first required. */
const separate: Readonly<Record<string, string>> = {
  'firestore-client': '@google-cloud/firestore-api/build/src/v1/firestore_client.js',
  'firestore-protos': '@google-cloud/firestore-api/build/protos/protos.js',
  'google-gax': 'google-gax/build/src/index.js',
  'google-gax-fallback': 'google-gax/build/src/fallback.js',
  'google-gax-iam': 'google-gax/build/protos/iam_service.js',
  'google-gax-locations': 'google-gax/build/protos/locations.js',
  'google-gax-operations': 'google-gax/build/protos/operations.js',
};

/** File of a bundle → its entry point, for the modules that {@link leanLibraries} puts into files of their own. */
export const separateEntries: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(separate).map((name) => [name, `separate:${name}`]),
);

type Edit = readonly [part: string, replacement: string];

/** Exports the modules of a namespace import by getters. */
const exportedLater = (name: string, module: string): Edit[] => [
  [`const ${name} = __importStar(require("${module}"));`, ''],
  [
    `exports.${name} = ${name};`,
    `Object.defineProperty(exports, "${name}", { enumerable: true, get: () => require("${module}") });`,
  ],
];

/** File below node_modules/ → the parts of it that are replaced. */
const edits: Readonly<Record<string, readonly Edit[]>> = {
  // Without the client of the administration API, and without the classes of all messages: gRPC makes them from JSON.
  '@google-cloud/firestore-api/build/src/index.js': [
    ['const FirestoreAdminClient = v1.FirestoreAdminClient;', ''],
    ['exports.FirestoreAdminClient = FirestoreAdminClient;', ''],
    ['const FirestoreClient = v1.FirestoreClient;', ''],
    ['exports.FirestoreClient = FirestoreClient;', ''],
    ['exports.default = { v1, FirestoreAdminClient, FirestoreClient };', ''],
    ['const protos = require("../protos/protos");', ''],
    ['exports.protos = protos;', ''],
  ],
  '@google-cloud/firestore-api/build/src/v1/index.js': [
    ['var firestore_admin_client_1 = require("./firestore_admin_client");', ''],
    [
      'Object.defineProperty(exports, "FirestoreAdminClient", { enumerable: true, get: function () { return firestore_admin_client_1.FirestoreAdminClient; } });',
      '',
    ],
    ['var firestore_client_1 = require("./firestore_client");', ''],
    ['return firestore_client_1.', 'return require("./firestore_client").'],
  ],
  // The client of another API, that of the regions where Firestore exists.
  '@google-cloud/firestore-api/build/src/v1/firestore_client.js': [
    ['this.locationsClient = new this._gaxModule.LocationsClient(this._gaxGrpc, opts);', ''],
    ['this.locationsClient.close().catch(err => {\n                    throw err;\n                });', ''],
  ],
  // Only data bundles and pipelines need the classes of messages.
  '@google-cloud/firestore/build/protos/firestore_v1_proto_api.js': [
    [
      'u.google=require("@google-cloud/firestore-api/build/protos/protos").google,u',
      'Object.defineProperty(u,"google",{get:()=>require("@google-cloud/firestore-api/build/protos/protos").google})',
    ],
  ],
  '@google-cloud/firestore/build/src/serializer.js': [
    ['var Value = firestore_v1_proto_api_1.google.firestore.v1.Value;', ''],
    ['Value.fromObject(', 'firestore_v1_proto_api_1.google.firestore.v1.Value.fromObject('],
  ],
  '@google-cloud/firestore/build/src/pipelines/pipelines.js': [
    ['const protobufjs_1 = require("protobufjs");', ''],
    ['protobufjs_1.', 'require("protobufjs").'],
  ],
  '@google-cloud/firestore/build/src/index.js': [
    ['const enabled_trace_util_1 = require("./telemetry/enabled-trace-util");', ''],
    ['new enabled_trace_util_1.', 'new (require("./telemetry/enabled-trace-util")).'],
    ["require('google-gax/fallback').RetryOptions", "require('google-gax/gax').RetryOptions"],
  ],
  '@google-cloud/firestore/build/src/util.js': [
    ["require('google-gax/fallback').constructSettings", "require('google-gax/gax').constructSettings"],
    ["require('google-gax/fallback').createDefault", "require('google-gax/gax').createDefault"],
  ],
  'google-gax/build/src/index.js': [
    ...exportedLater('IamProtos', '../protos/iam_service'),
    ...exportedLater('LocationProtos', '../protos/locations'),
    ...exportedLater('operationsProtos', '../protos/operations'),
    ...exportedLater('fallback', './fallback'),
    ['exports.protobufFromJSON = fallback.protobufFromJSON;', ''],
  ],
  // Looks for the package.json above the function, with a library that is loaded for this alone.
  '@google-cloud/functions-framework/build/src/loader.js': [
    ['const esModule = await isEsModule(functionModulePath);', 'const esModule = true;'],
  ],
};

/** Describes every message of Firestore's APIs; the client turns all of it into classes with its first call. */
const firestoreJson = '@google-cloud/firestore-api/build/protos/protos.json';

interface Namespace {
  readonly nested: Record<string, Namespace>;
}

/** Leaves out of {@link firestoreJson} the administration API and what only that uses. */
function withoutAdministration(text: string): string {
  const protos = JSON.parse(text) as Namespace;
  const google = protos.nested['google'];
  if (google?.nested['firestore']?.nested['admin'] === undefined)
    throw new Error(`${firestoreJson} no longer holds google.firestore.admin`);
  delete google.nested['firestore'].nested['admin'];
  delete google.nested['longrunning'];
  delete google.nested['api'];
  return JSON.stringify(protos);
}

/** Packages whose modules load what they import on first use. */
const LAZY = /\/node_modules\/(?:google-gax|google-auth-library)\/build\/src\/.*\.js$/;

/** An import as TypeScript writes it: `const gax_1 = require("./gax");`. The name means the import wherever it occurs. */
const IMPORT = /^(?:const|var) (\w+_\d+) = (require\("[^"]+"\));$/gm;

/**
 * @param path absolute
 * @param text the module as published
 * @returns the module as the bundles hold it
 * @throws Error when it no longer contains a part that is replaced
 */
export function leanModule(path: string, text: string): string {
  const module = path.replace(modules, '');
  if (module === firestoreJson) return withoutAdministration(text);
  let lean = text;
  for (const [part, replacement] of edits[module] ?? []) {
    if (!lean.includes(part)) throw new Error(`${path} no longer contains ${part}`);
    lean = lean.replaceAll(part, () => replacement);
  }
  return LAZY.test(path) ? withLazyImports(lean) : lean;
}

function withLazyImports(text: string): string {
  return [...text.matchAll(IMPORT)].reduce(
    (result, [line, name, call]) =>
      result.replace(line, '').replaceAll(new RegExp(`\\b${name}\\b`, 'g'), `(${call})`),
    text,
  );
}

/** Ends of the paths by which the modules of {@link separate} are required. */
const REQUIRED = /(?:^google-gax|fallback|firestore_client|protos|iam_service|locations|operations)$/;

/** Leaves the modules of {@link separate} out of the files that require them. */
export const separateLibraries: Plugin = {
  name: 'separate-libraries',
  setup(build) {
    const files = new Map(Object.entries(separate).map(([name, module]) => [modules + module, name]));
    build.onResolve({ filter: /^separate:/ }, ({ path }) => ({ path, namespace: 'separate' }));
    build.onLoad({ filter: /./, namespace: 'separate' }, ({ path }) => {
      const module = modules + separate[path.replace('separate:', '')];
      // The export by this name is what `require` returns: https://nodejs.org/api/modules.html#loading-ecmascript-modules-using-require
      return {
        contents: `const library = require(${JSON.stringify(module)}); export { library as "module.exports" };`,
        resolveDir: modules,
      };
    });
    build.onResolve({ filter: REQUIRED }, async ({ path, kind, namespace, resolveDir, pluginData }) => {
      if (kind !== 'require-call' || namespace === 'separate' || pluginData === files) return undefined;
      const resolved = await build.resolve(path, { kind, resolveDir, pluginData: files });
      const name = files.get(resolved.path);
      return name === undefined ? undefined : { path: `./${name}.js`, external: true };
    });
  },
};
