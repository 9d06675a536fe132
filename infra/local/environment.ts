/**
 * The environment in which the deployables run locally: the variables of shared/platform/variables.ts with invented
 * values, and the addresses of this stack. The user's own environment takes precedence.
 */
import { invented } from './invented.ts';
import { AUDIENCE, jwksUrlOf } from './issuer.ts';
import { HOST } from './ports.ts';
import type { Settings } from './settings.ts';

/** Addresses of the engines, in the form that their clients expect. */
export interface EngineAddresses {
  readonly firestore: string;
  readonly storage: string;
  readonly kafka: string;
}

function issuerUrl({ ports }: Settings): string {
  return `http://${HOST}:${ports.issuer}`;
}

export function environmentOf(settings: Settings, engines: EngineAddresses): NodeJS.ProcessEnv {
  return {
    ...invented,
    ...process.env,
    // As on Cloud Run: otherwise functions-framework sends error texts to clients.
    NODE_ENV: 'production',
    METADATA_SERVER_DETECTION: 'none',
    GOOGLE_CLOUD_PROJECT: settings.project,
    GCS_IMPORT_BUCKET: settings.bucket,
    FIRESTORE_EMULATOR_HOST: engines.firestore,
    STORAGE_EMULATOR_HOST: engines.storage,
    KAFKA_BOOTSTRAP_SERVERS: engines.kafka,
    COMMUNICATION_SERVICE_URL: `http://${HOST}:${settings.ports.communication}`,
    LOCAL_PAGE_URL: `http://${HOST}:${settings.ports.page}`,
    AUTH_ISSUER: issuerUrl(settings),
    AUTH_AUDIENCE: AUDIENCE,
    AUTH_JWKS_URL: jwksUrlOf(issuerUrl(settings)),
    AUTH_ROLE_CLAIM: 'role',
  };
}

/**
 * Creates clients of Google's libraries for this stack. Their constructors read the process's environment, which names the
 * engines of the test run in a test.
 */
export function madeFor<T>({ firestore, storage }: EngineAddresses, make: () => T): T {
  const before = { ...process.env };
  Object.assign(process.env, { FIRESTORE_EMULATOR_HOST: firestore, STORAGE_EMULATOR_HOST: storage });
  try {
    return make();
  } finally {
    for (const name of ['FIRESTORE_EMULATOR_HOST', 'STORAGE_EMULATOR_HOST']) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}
