/**
 * The deployed API compared in alternating rounds with a bare function that does the same Firestore work under the same
 * framework, and the API without Kafka.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, HOST } from '../../infra/local/ports.ts';
import { launch } from '../../infra/local/process.ts';
import { untilReady } from '../../infra/local/ready.ts';
import { registerPatient } from '../../shared/patient/change.ts';
import { patientId } from '../../shared/patient/schema.ts';
import { addPatient } from '../../shared/store/patients.ts';
import { connectFirestore } from '../../shared/store/firestore.ts';
import { startIssuer } from '../support/api.ts';
import { AUTUMN, aNewPatient, aRegistration } from '../support/builders.ts';
import { buildApi } from '../support/served-api.ts';
import { percentile, rate, type Bench, type Row } from './rows.ts';

const PATIENTS = 50_000;
/** The emulator has no indexes: it takes half a millisecond for each patient whose grams it scans. */
const SEARCHED = 2_000;
const FIRST_ID = 1_000_000;
const ROUNDS = 15;
const CONCURRENCY = 8;
/** Requests before the clock starts: connections, the lease of ids, and the compiler, which needs a thousand. */
const WARM_UP = 1_500;
/** For queries that take the emulator a second. */
const SLOW = { rounds: 30, concurrency: 1, warmUp: 1 };
/** Patients who are changed in turn. Fewer would wait for each other. */
const CHANGED = 64;
/** A person as the website registers one. */
const PERSON = aRegistration().patient_data;
const UNREACHABLE = '127.0.0.1:1';

const FRAMEWORK = fileURLToPath(import.meta.resolve('@google-cloud/functions-framework')).replace(
  /index\.js$/,
  'main.js',
);

export const bench: Bench = async (progress) => {
  const project = `bench-${randomUUID().slice(0, 8)}`;
  const issuer = await startIssuer();
  const build = await buildApi();
  const environment = {
    GOOGLE_CLOUD_PROJECT: project,
    GCS_IMPORT_BUCKET: project,
    LOG_LEVEL: 'warn',
    ...issuer.environment,
  };
  const apis = {
    up: await build.start(environment),
    down: await build.start({ ...environment, KAFKA_BOOTSTRAP_SERVERS: UNREACHABLE }),
  };
  const bare = await startFunction('bare', environment);
  const authorization = `Bearer ${issuer.tokens.admin}`;
  const ours = (path: string, body?: object): Shot => ({ url: apis.up.url + path, authorization, body });
  const theirs = (path: string, body?: object): Shot => ({ url: bare.url + path, body });
  const document = await samplePatient(project);
  await fill(project, -2 * CHANGED, -1);
  const change = eachTime((n) => ({
    ...ours(`/api/patients/${FIRST_ID - 1 - (n % CHANGED)}`, { hausarzt: `Dr. ${n}` }),
    method: 'PATCH',
  }));
  const bareChange = eachTime((n) =>
    theirs(`/change?id=${FIRST_ID - 1 - CHANGED - (n % CHANGED)}`, {
      changes: { hausarzt: `Dr. ${n}` },
      entry: document.entry,
    }),
  );

  try {
    const rows: Row[] = [];
    progress('reading one patient');
    const get = [ours(`/api/patients/${FIRST_ID}`), theirs(`/read?id=${FIRST_ID}`)].map(same);
    rows.push(...compared('GET a patient', await alternating(200, get), '≥ 0.95 of bare'));
    progress('creating patients');
    const post = [ours('/api/patients', PERSON), theirs('/write', document)].map(same);
    rows.push(...compared('POST a patient', await alternating(150, post), '≥ 0.90 of bare'));
    progress('changing patients');
    rows.push(...compared('PATCH a patient', await alternating(150, [change, bareChange]), '≥ 0.90 of bare'));
    progress('creating patients without Kafka');
    const down = { ...ours('/api/patients', PERSON), url: `${apis.down.url}/api/patients` };
    const [without, withKafka] = await alternating(60, [down, ours('/api/patients', PERSON)].map(same));
    rows.push({
      name: 'POST p50, Kafka down against up',
      value: percentile(without.latencies, 0.5),
      unit: 'ms',
      bare: percentile(withKafka.latencies, 0.5),
      goal: 'no difference beyond noise',
    });
    progress(`storing ${SEARCHED} patients and searching`);
    await fill(project, 1, SEARCHED);
    const term = `name${SEARCHED - 1}`;
    const found = [
      ours(`/api/patients?limit=50&search=${term}`),
      theirs(`/search?gram=${term.slice(-3)}`),
    ].map(same);
    rows.push(...latencies(`search in ${SEARCHED}`, await alternating(1, found, SLOW)));
    progress(`storing ${PATIENTS} patients and listing`);
    await fill(project, SEARCHED + 1, PATIENTS);
    const listed = [ours('/api/patients?limit=50'), theirs('/list')].map(same);
    rows.push(...latencies(`list 50 of ${PATIENTS}`, await alternating(1, listed, SLOW)));
    rows.push({ name: 'bundle', value: build.bytes / 1024, unit: 'KiB' });
    return rows;
  } finally {
    await Promise.all([apis.up.stop(), apis.down.stop(), bare.stop()]);
    await build.remove();
  }
};

interface Shot {
  readonly url: string;
  /** Without it: POST with a body, else GET. */
  readonly method?: string;
  readonly authorization?: string;
  readonly body?: object | undefined;
}

type NextShot = () => Shot;

function same(shot: Shot): NextShot {
  return () => shot;
}

function eachTime(shotOf: (n: number) => Shot): NextShot {
  let n = 0;
  return () => shotOf(n++);
}

interface Measured {
  readonly rates: number[];
  readonly latencies: number[];
}

/** Alternates both sides in short slices, so that changes of the machine's speed affect both. */
async function alternating(
  count: number,
  sides: readonly NextShot[],
  { rounds = ROUNDS, concurrency = CONCURRENCY, warmUp = WARM_UP } = {},
): Promise<[Measured, Measured]> {
  const measured: [Measured, Measured] = [
    { rates: [], latencies: [] },
    { rates: [], latencies: [] },
  ];
  for (let round = 0; round <= rounds; round += 1) {
    // Each side is first in every other round.
    const ordered = [...sides.entries()];
    for (const [at, next] of round % 2 === 0 ? ordered : ordered.reverse()) {
      const latencies: number[] = [];
      const perSecond = await rate(
        Array.from({ length: round === 0 ? warmUp : count }, next),
        concurrency,
        async (one) => {
          const started = performance.now();
          await fire(one);
          latencies.push(performance.now() - started);
        },
      );
      if (round === 0) continue;
      measured[at]?.rates.push(perSecond);
      measured[at]?.latencies.push(...latencies);
    }
  }
  return measured;
}

const agent = new Agent({ keepAlive: true });

function fire({ url, method, authorization, body }: Shot): Promise<void> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const sending = request(
      url,
      {
        agent,
        method: method ?? (text === undefined ? 'GET' : 'POST'),
        headers: {
          ...(authorization === undefined ? {} : { authorization }),
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      },
      (response) => {
        const { statusCode = 0 } = response;
        if (statusCode >= 300) reject(new Error(`${url} answered ${statusCode}`));
        response.resume().once('end', resolve);
      },
    );
    // More than one error may come, for instance when the function ends.
    sending.on('error', reject).end(text);
  });
}

function compared(name: string, [ours, bare]: [Measured, Measured], goal: string): Row[] {
  return [
    { name, value: percentile(ours.rates, 0.5), unit: '/s', bare: percentile(bare.rates, 0.5), goal },
    ...latencies(name, [ours, bare]),
  ];
}

function latencies(name: string, [ours, bare]: [Measured, Measured]): Row[] {
  const count = ours.latencies.length;
  return [
    {
      name: `${name}, ${count < 100 ? `slowest of ${count}` : 'p99'}`,
      value: percentile(ours.latencies, 0.99),
      unit: 'ms',
      bare: percentile(bare.latencies, 0.99),
    },
  ];
}

async function startFunction(name: string, environment: Readonly<Record<string, string>>) {
  const port = await freePort();
  const running = launch({
    command: process.execPath,
    args: [FRAMEWORK, `--source=${join(import.meta.dirname, 'functions', `${name}.ts`)}`],
    env: { ...process.env, ...environment, FUNCTION_TARGET: name, PORT: String(port) },
    logFile: join(import.meta.dirname, '../../.local', `bench-${name}.log`),
  });
  const url = `http://${HOST}:${port}`;
  await untilReady(running, name, async () => (await fetch(url)).ok);
  return { ...running, url };
}

/** One stored patient, and the two documents that creating one writes. */
async function samplePatient(project: string): Promise<{ patient: object; entry: object }> {
  const db = connectFirestore({ GOOGLE_CLOUD_PROJECT: project });
  const batch = db.batch();
  addPatient(db, batch, registerPatient(patientId.parse(FIRST_ID), aNewPatient(PERSON), AUTUMN), AUTUMN);
  await batch.commit();
  const [patient, entries] = await Promise.all([
    db.collection('patients').doc(String(FIRST_ID)).get(),
    db.collection('outbox').limit(1).get(),
  ]);
  await db.terminate();
  return { patient: patient.data() ?? {}, entry: entries.docs[0]?.data() ?? {} };
}

/** Stores the patients from the `first` to the `last` one. */
async function fill(project: string, first: number, last: number): Promise<void> {
  const db = connectFirestore({ GOOGLE_CLOUD_PROJECT: project });
  const BATCH = 250;
  const batches = Array.from(
    { length: Math.ceil((last - first + 1) / BATCH) },
    (_, at) => first + at * BATCH,
  );
  await rate(batches, 4, async (from) => {
    const batch = db.batch();
    for (let n = from; n < Math.min(from + BATCH, last + 1); n += 1) {
      const input = aNewPatient({ nachname: `Name${n}`, email: `p${n}@example.org` });
      const id = patientId.parse(FIRST_ID + n);
      const { patient } = registerPatient(id, input, AUTUMN.add({ seconds: n }));
      addPatient(db, batch, { patient, events: [], mails: [] }, AUTUMN);
    }
    await batch.commit();
  });
  await db.terminate();
}
