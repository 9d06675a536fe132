/**
 * The API for one test file: the application on the emulators, its own token issuer, and requests with a role.
 */
import { randomUUID } from 'node:crypto';
import { Temporal } from 'temporal-polyfill';
import { createApp } from '../../functions/patients-api/app.ts';
import { variableNames } from '../../functions/patients-api/config.ts';
import { AUDIENCE, startIssuer as startLocalIssuer } from '../../infra/local/issuer.ts';
import type { NumberedEnvelope } from '../../shared/events/envelope.ts';
import type { Patient, PatientId } from '../../shared/patient/schema.ts';
import { createAuthentication, type Role } from '../../shared/platform/auth.ts';
import type { Instant } from '../../shared/platform/clock.ts';
import { readConfig } from '../../shared/platform/config.ts';
import type { ProblemDetails } from '../../shared/platform/problem-details.ts';
import { connectBucket } from '../../shared/registration/bucket.ts';
import { readOutsideMark } from '../../shared/registration/restore-fence.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { patientEntriesQuery } from '../../shared/store/outbox.ts';
import { createPatientIds } from '../../shared/store/patient-ids.ts';
import { testLog } from './kafka.ts';

/** The local stack's issuer, with the variables with which the API trusts it, and tokens of one subject. */
export async function startIssuer() {
  const { sign, publicKey, url, jwksUrl } = await startLocalIssuer(0);
  const signFor = (claims: Record<string, unknown>, expires?: string) =>
    sign({ sub: 'test-subject', ...claims }, expires);
  return {
    sign: signFor,
    publicKey,
    environment: {
      AUTH_ISSUER: url,
      AUTH_AUDIENCE: AUDIENCE,
      AUTH_JWKS_URL: jwksUrl,
      AUTH_ROLE_CLAIM: 'role',
    },
    tokens: {
      reader: await signFor({ role: 'reader' }),
      staff: await signFor({ role: 'staff' }),
      admin: await signFor({ role: 'admin' }),
    } satisfies Record<Role, string>,
  };
}

interface Sent {
  /** Null sends no token. */
  readonly role?: Role | null;
  /** Sent as JSON. A string or bytes are sent unchanged. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** The application with its own Firestore project and bucket. */
export async function startApi(overrides: Record<string, string> = {}) {
  const name = `api-${randomUUID().slice(0, 8)}`;
  const issuer = await startIssuer();
  const config = await readConfig(variableNames, {
    ...process.env,
    GOOGLE_CLOUD_PROJECT: name,
    GCS_IMPORT_BUCKET: name,
    ...issuer.environment,
    ...overrides,
  });
  const db = connectFirestore(config);
  const bucket = connectBucket(config);
  const lines: string[] = [];
  let fixed: Instant | undefined;
  const deps = {
    db,
    bucket,
    allocatePatientId: createPatientIds(db, () => readOutsideMark(bucket)),
    clock: () => fixed ?? Temporal.Now.instant(),
    log: testLog(lines),
    authenticate: createAuthentication(config),
    keptDays: config,
    corsOrigins: config.CORS_ORIGINS,
    assets: new URL('../../functions/patients-api/assets/', import.meta.url),
  };
  const app = createApp(deps);

  async function send<T = Patient & Omit<ProblemDetails, 'status'>>(
    method: string,
    path: string,
    { role = 'admin', body, headers = {} }: Sent = {},
  ): Promise<Answered<T>> {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await app.request(path, {
      method,
      headers: {
        ...(role === null ? {} : { authorization: `Bearer ${issuer.tokens[role]}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text !== '' && /json/.test(response.headers.get('content-type') ?? '')
        ? JSON.parse(text)
        : text) as T,
    };
  }

  return {
    app,
    db,
    deps,
    issuer,
    config,
    send,
    /** All log lines so far. */
    lines,
    /** Stops the clock at an instant; undefined lets it run again. */
    at(instant: string | undefined) {
      fixed = instant === undefined ? undefined : Temporal.Instant.from(instant);
    },
    /** Creates a patient and returns the response. */
    async create(fields: Record<string, unknown> = {}): Promise<Patient> {
      const { status, body } = await send('POST', '/api/patients', { body: aBody(fields) });
      if (status !== 201) throw new Error(`the patient was not created: ${JSON.stringify(body)}`);
      return body;
    },
    /** The patient's events in the outbox, in order. */
    async events(id: PatientId): Promise<NumberedEnvelope[]> {
      const waiting = await patientEntriesQuery(db, id).get();
      return waiting.docs
        .filter((doc) => doc.get('kind') === 'kafka')
        .map((doc) => JSON.parse(doc.get('envelope') as string) as NumberedEnvelope)
        .sort((a, b) => a.sequence - b.sequence);
    },
  };
}

export type Api = Awaited<ReturnType<typeof startApi>>;

/** The body of a new patient: the required fields, and those that the test names. */
export function aBody(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { anrede: 'Frau', geschlecht: 'weiblich', vorname: 'Lena', nachname: 'Beispiel', ...fields };
}
