/**
 * Which folder may import what, read by the lint rule `rooms/arrows` (plugin.ts). It is an allow-list: an import that no
 * row names is an error, and so is a file that no row covers. A type-only import counts too, because it is a dependency
 * on the module. test/layers.test.ts plants faults that the rule must find.
 */

/** What the files of a folder may import besides their own folder. */
interface Arrows {
  /** Folders, with everything below them, and single files of this repository. */
  readonly files: readonly string[];
  /**
   * Packages and Node's own modules, exactly as an import names them; `node:util{inspect}` allows this one name of it.
   * ANY leaves a folder free, except for kafkajs.
   */
  readonly packages: readonly string[] | typeof ANY;
}

export const ANY = 'any';

/** Time, errors and the mark of personal data: the modules of the platform that are as pure as the domain. */
const pure = ['shared/platform/clock.ts', 'shared/platform/errors.ts', 'shared/platform/personal.ts'];

/** The shared code for deployables that never connect to Kafka, and for those that do. */
const withoutKafka = ['shared/platform', 'shared/patient', 'shared/store', 'shared/registration'];
const withKafka = [...withoutKafka, 'shared/events', 'shared/kafka'];

/** Only the longest row that covers a file applies. Ordered by layer, lowest first. */
export const arrows: Readonly<Record<string, Arrows>> = {
  'shared/platform/clock.ts': { files: [], packages: ['temporal-polyfill'] },
  'shared/platform/errors.ts': { files: [], packages: [] },
  'shared/platform/personal.ts': { files: [], packages: [] },
  'shared/platform': {
    files: [],
    packages: [
      '@google-cloud/secret-manager',
      'cli-progress',
      'ibantools',
      'jose',
      'node:async_hooks',
      'node:crypto',
      'node:diagnostics_channel',
      'node:domain',
      'node:http',
      'node:timers/promises',
      'pino',
      'temporal-polyfill',
      'zod',
    ],
  },
  // Reads the source maps beside the bundle.
  'shared/platform/sources.ts': { files: [], packages: ['node:fs', 'node:module', 'node:url'] },
  'shared/patient': {
    files: pure,
    packages: ['libphonenumber-js/min', 'node:url{domainToASCII}', 'node:util{isDeepStrictEqual}', 'zod'],
  },
  'shared/events': {
    files: ['shared/platform/clock.ts', 'shared/platform/errors.ts', 'shared/patient'],
    packages: ['node:util{isDeepStrictEqual}', 'zod'],
  },
  'shared/store': {
    files: ['shared/platform', 'shared/patient', 'shared/events/envelope.ts'],
    packages: [
      '@google-cloud/firestore',
      'node:crypto',
      'node:url',
      'node:util',
      'p-limit',
      'p-retry',
      'temporal-polyfill',
    ],
  },
  'shared/kafka': {
    files: ['shared/platform'],
    packages: [
      'google-auth-library',
      'node:crypto',
      'node:os',
      'node:timers/promises',
      'node:util',
      'node:zlib',
      'p-limit',
      'snappyjs',
    ],
  },
  'shared/kafka/kafkajs.ts': { files: ['shared/platform'], packages: ['kafkajs'] },
  'shared/registration': {
    files: ['shared/platform', 'shared/patient', 'shared/store'],
    packages: [
      '@google-cloud/firestore',
      '@google-cloud/storage',
      'ibantools',
      'node:crypto',
      'node:http',
      'node:util',
      'node:zlib',
      'p-limit',
      'zod',
    ],
  },

  // The deployables: none imports another.
  'functions/import-registration': {
    files: ['shared/platform', 'shared/store', 'shared/registration'],
    packages: ['@google-cloud/functions-framework', 'zod'],
  },
  'functions/patients-api': {
    files: withoutKafka,
    packages: [
      '@google-cloud/firestore',
      '@google-cloud/functions-framework',
      '@google-cloud/storage',
      '@hono/node-server',
      'hono',
      'hono/cors',
      'hono/http-exception',
      'hono/timeout',
      'node:crypto',
      'node:fs/promises',
      'node:util',
      'zod',
    ],
  },
  'functions/patients-api/assets': { files: [], packages: [] },
  'functions/check-health': {
    files: withoutKafka,
    packages: [
      '@google-cloud/firestore',
      '@google-cloud/functions-framework',
      '@google-cloud/storage',
      'node:crypto',
      'node:fs/promises',
      'p-limit',
    ],
  },
  'functions/kafka-worker': {
    files: withKafka,
    packages: [
      '@google-cloud/firestore',
      'node:crypto',
      'node:events',
      'node:http',
      'p-limit',
      'temporal-polyfill',
    ],
  },
  'functions/ops': {
    files: withKafka,
    packages: [
      '@google-cloud/firestore',
      '@google-cloud/storage',
      'cli-table3',
      'commander',
      'jose',
      'node:events',
      'node:fs/promises',
      'node:http',
      'node:timers/promises',
      'node:util',
      'p-limit',
      'zod',
    ],
  },

  // Code that builds, checks, deploys and runs the deployables. It starts them as processes and imports none.
  infra: {
    files: ['shared/platform', 'shared/patient', 'shared/events', 'functions/patients-api'],
    packages: ANY,
  },
  // Runs inside the image, with the function's own code.
  'infra/warm.ts': {
    files: ['infra/local', 'shared/patient', 'shared/registration', 'shared/store'],
    packages: ANY,
  },
  'infra/checks': {
    files: ['shared/platform', 'shared/patient', 'shared/store'],
    packages: ANY,
  },
  'infra/deploy': { files: ['infra/checks/hcl.ts'], packages: ANY },
  'infra/lint': { files: [], packages: ANY },
  'infra/local': {
    files: ['infra/bundle.ts', 'shared/platform', 'shared/kafka', 'shared/registration'],
    packages: ANY,
  },
  // The page reads all data of a stack, by the modules that own it.
  'infra/local/page': { files: ['infra/local', 'infra/schema-words.ts', 'shared'], packages: ANY },
  'infra/local/page/assets': { files: [], packages: [] },
  // Runs in the visitor's browser.
  'infra/local/page/browser': {
    files: ['infra/local/page/messages.ts'],
    packages: ['preact', 'preact/hooks'],
  },
  'infra/local/page/messages.ts': { files: [], packages: [] },

  // Tests of several modules, and the support code of all tests.
  test: { files: ['shared', 'functions', 'infra'], packages: ANY },
  '.ci': { files: [], packages: ANY },

  // Readers copy these files, so they import nothing from this repository and use the published kafkajs, not our patched one.
  'docs/samples': { files: [], packages: ['kafkajs', 'node:sqlite'] },
};

/** Imports that a test beside its module may add to its module's row: never another deployable. */
export const besideItsModule: Arrows = { files: ['shared', 'infra', 'test/support'], packages: ANY };

/** Only tests may create their own Kafka client; all other code uses this module. */
export const KAFKA_CLIENT = 'kafkajs';

/** Matches files that run or configure tests, which no file may import. */
export const TEST_FILE = /\.(test|bench|setup)\.[cm]?[jt]s$|^vitest(\.\w+)?\.config\.ts$/;

/** The Firestore collections, each with the only module that may name it; other modules call that one. */
export const collections: Readonly<Record<string, string>> = {
  applied_events: 'shared/store/applied-events.ts',
  audit_trail: 'shared/store/audit-trail.ts',
  communication: 'shared/store/communication-history.ts',
  consents: 'shared/store/consents.ts',
  counters: 'shared/store/patient-ids.ts',
  erasures: 'shared/store/erasures.ts',
  fences: 'shared/store/fence.ts',
  health_snapshots: 'shared/store/health-snapshots.ts',
  idempotency_keys: 'shared/store/idempotency-keys.ts',
  imports: 'shared/store/imports.ts',
  in_flight: 'shared/store/in-flight.ts',
  known_contacts: 'shared/store/known-contacts.ts',
  leases: 'shared/store/leases.ts',
  mail_counts: 'shared/store/mail-counts.ts',
  outbox: 'shared/store/outbox.ts',
  patients: 'shared/store/patients.ts',
  payment_references: 'shared/store/payment-references.ts',
  registration_tokens: 'shared/store/registration-tokens.ts',
  salts: 'shared/store/person-keys.ts',
  therapist_turns: 'shared/store/therapist-turns.ts',
  unreadable_batches: 'shared/store/unreadable-batches.ts',
  worker_status: 'shared/store/worker-status.ts',
};
