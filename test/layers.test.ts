/**
 * The direction of dependencies, the purity of the domain and the length of files are lint rules
 * (infra/lint/arrows.ts, .oxlintrc.json). Here are planted faults that the rules must find, all in one run of the linter.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { arrows, collections } from '../infra/lint/arrows.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);

/** A file's folder, its source and the rule that must refuse it; a third row names the file itself. */
type Plant = readonly [where: string, source: string, name?: string];

const wrongArrows: Plant[] = [
  // Each layer, one step too high or to the side.
  ['shared/platform', "import { fold } from '../../patient/search.ts';"],
  ['shared/platform', "import { Kafka } from 'kafkajs';"],
  ['shared/patient', "import { inTransaction } from '../../store/firestore.ts';"],
  ['shared/patient', "import type { Envelope } from '../../events/envelope.ts';"],
  ['shared/patient', "import { systemClock } from '../../platform/system-clock.ts';"],
  ['shared/patient', "import { createLog } from '../../platform/log.ts';"],
  ['shared/patient', "import { readConfig } from '../../platform/config.ts';"],
  ['shared/patient', "import { pino } from 'pino';"],
  ['shared/patient', "import { Temporal } from 'temporal-polyfill';"],
  ['shared/patient', "import { Firestore } from '@google-cloud/firestore';"],
  ['shared/patient', "import { lookup } from 'node:dns';"],
  ['shared/patient', "import { readFileSync } from 'node:fs';"],
  ['shared/patient', "import { readFileSync } from 'fs';"],
  ['shared/patient', "import { readFile } from 'node:fs/promises';"],
  ['shared/patient', "import { connect } from 'node:net';"],
  ['shared/patient', "import { request } from 'node:https';"],
  ['shared/patient', "import { randomUUID } from 'node:crypto';"],
  ['shared/patient', "import { performance } from 'node:perf_hooks';"],
  ['shared/patient', "import { setTimeout } from 'node:timers/promises';"],
  ['shared/patient', "import { env } from 'node:process';"],
  ['shared/patient', "import { log } from 'node:console';"],
  ['shared/patient', "import { debuglog } from 'node:util';"],
  ['shared/patient', "import * as util from 'node:util';"],
  ['shared/patient', "import util from 'node:util';"],
  ['shared/events', "import { inTransaction } from '../../store/firestore.ts';"],
  ['shared/events', "import { publish } from '../../kafka/publish.ts';"],
  ['shared/store', "import { importObject } from '../../registration/import-object.ts';"],
  ['shared/store', "import { createPublisher } from '../../kafka/publish.ts';"],
  ['shared/store', "import { consumed } from '../../events/consumed-events.ts';"],
  ['shared/store', "import { variableNames } from '../../../functions/import-registration/config.ts';"],
  ['shared/kafka', "import { inTransaction } from '../../store/firestore.ts';"],
  ['shared/kafka', "import { applyChange } from '../../patient/change.ts';"],
  ['shared/kafka', "import { Kafka } from 'kafkajs';"],
  ['shared/kafka', "import type { Kafka } from 'kafkajs';"],
  ['shared/kafka', "export { Kafka } from 'kafkajs';"],
  ['shared/kafka', "import murmur2 from 'kafkajs/src/producer/partitioners/default/murmur2.js';"],
  ['shared/kafka', "import { Kafka } from '../../../node_modules/kafkajs/index.js';"],
  ['shared/registration', "import { createPublisher } from '../../kafka/publish.ts';"],
  ['shared/registration', "import { stack } from '../../../infra/local/stack.ts';"],
  // No deployable knows another, infra or a test.
  ['functions/import-registration', "import { judge } from '../../check-health/verdict.ts';"],
  ['functions/check-health', "import { createApp } from '../../patients-api/app.ts';"],
  ['functions/kafka-worker', "import { program } from '../../ops/program.ts';"],
  ['functions/ops', "import { reportStatus } from '../../kafka-worker/status.ts';"],
  ['functions/patients-api', "import { createPublisher } from '../../../shared/kafka/publish.ts';"],
  ['functions/patients-api', "import { Kafka } from 'kafkajs';"],
  ['functions/patients-api/routes', "import { judge } from '../../../check-health/verdict.ts';"],
  ['functions/patients-api/routes', "import { ports } from '../../../../infra/local/ports.ts';"],
  ['functions/patients-api/routes', "import { aPatient } from '../../../../test/support/builders.ts';"],
  ['functions/patients-api/routes', "import { total } from '../../../../.ci/total.mjs';"],
  ['functions/check-health', "import { aPatient } from '../../../test/support/builders.ts';"],
  ['functions/ops', "import { stack } from '../../../infra/local/stack.ts';"],
  ['functions', "import { z } from 'zod';"],
  // Infra runs the deployables; it uses no test support and no client of its own.
  ['infra/local', "import { judge } from '../../../functions/check-health/verdict.ts';"],
  ['infra/local', "import { aPatient } from '../../../test/support/builders.ts';"],
  ['infra/local', "import { Kafka } from 'kafkajs';"],
  ['infra/deploy', "import { inTransaction } from '../../../shared/store/firestore.ts';"],
  ['infra/checks', "import { aPatient } from '../../../test/support/builders.ts';"],
  // A sample stands alone.
  ['docs/samples/typescript', "import { namesIn } from '../../../../shared/kafka/topics.ts';"],
  // Tests: nobody imports one, and one beside its module knows one deployable.
  ['test/support', "import './support.test.ts';"],
  ['functions/check-health', "import { status } from '../../kafka-worker/status.ts';", 'planted.test.ts'],
  [
    'shared/patient',
    "import { judge } from '../../../functions/check-health/verdict.ts';",
    'planted.test.ts',
  ],
  // Every other form of an import.
  ['shared/patient', "export { inTransaction } from '../../store/firestore.ts';"],
  ['shared/patient', "export * from '../../store/firestore.ts';"],
  ['shared/patient', "export * as store from '../../store/firestore.ts';"],
  ['shared/patient', "export type { Writer } from '../../store/firestore.ts';"],
  ['shared/patient', "import '../../store/firestore.ts';"],
  ['shared/patient', "export const store = () => import('../../store/firestore.ts');"],
  ['shared/patient', 'export const store = () => import(`../../store/firestore.ts`);'],
  ['shared/patient', "export type Store = import('../../store/firestore.ts').Writer;"],
  ['shared/patient', "export type Store = typeof import('../../store/firestore.ts');"],
  ['shared/patient', "import store = require('../../store/firestore.ts'); export { store };"],
  ['shared/patient', "export const fs = require('node:fs');"],
  ['shared/patient', "import { inTransaction } from '../../../shared/store/firestore.ts';"],
  ['shared/patient', "import { inTransaction } from './../../store/firestore.ts';"],
  ['shared/patient', "import { inTransaction } from '../../store/firestore';"],
  ['shared/patient', `import { inTransaction } from '${root}/shared/store/firestore.ts';`],
  ['shared/patient', "import code from 'data:text/javascript,export default 1';"],
  ['shared/store', "const name = '../../registration/archive.ts'; export const read = () => import(name);"],
  ['functions/check-health', "export const kafka = () => import('kaf' + 'kajs');"],
  ['functions/check-health', "export const dns = process.getBuiltinModule('node:dns');"],
  ['functions/check-health', "import { createRequire } from 'node:module';"],
];

const impure: readonly string[] = [
  "fetch('https://example.org')",
  "globalThis.fetch('https://example.org')",
  "globalThis['fetch']('https://example.org')",
  "global.fetch('https://example.org')",
  'process.env',
  "process.env['HOME']",
  'process.hrtime()',
  'Date.now()',
  'new Date()',
  'Date()',
  'new globalThis.Date()',
  'Reflect.construct(Date, [])',
  'Math.random()',
  "Math['random']()",
  '[Math].map((m) => m.random())',
  'performance.now()',
  'crypto.randomUUID()',
  'new Intl.DateTimeFormat().format()',
  'setTimeout(() => {}, 1)',
  'setInterval(() => {}, 1)',
  'setImmediate(() => {})',
  'queueMicrotask(() => {})',
  'new WebSocket("wss://example.org")',
  'new XMLHttpRequest()',
  "console.log('x')",
  "new Function('return fetch')()",
  "eval('fetch')",
  'navigator.userAgent',
  'localStorage',
  '__dirname',
];

const impureDeclarations: readonly string[] = [
  'const { random } = Math; export const planted = random();',
  'declare const process: { env: object }; export const planted = process.env;',
  'declare function fetch(url: string): string; export const planted = fetch("");',
  'declare global { const fetch: () => string; } export const planted = 1;',
];

const namedTwice: readonly Plant[] = [
  ['shared/store', "export const planted = (db: Db) => db.collection('patients');"],
  ['shared/store', "export const planted = (db: Db) => db.collectionGroup('communication');"],
  ['shared/store', "export const planted = (db: Db) => db['collection']('patients');"],
  ['shared/store', "export const planted = (db: Db) => db.collection('a_new_one');"],
  ['shared/store', 'export const planted = (db: Db, name: string) => db.collection(name);'],
  ['shared/store', "export const planted = (db: Db) => db.doc('patients/1');"],
  ['shared/store', 'export const planted = (db: Db, id: string) => db.doc(`patients/${id}`);'],
  ['functions/check-health', "export const planted = (db: Db) => db.collection('imports');"],
  ['infra/local', "export const planted = (db: Db) => db.collection('imports');"],
];

const tooLong = `export {};${'\n// a line'.repeat(250)}`;

/** Allowed: the rules must not be red at everything. */
const harmless: readonly Plant[] = [
  ['functions/import-registration', "export { inTransaction } from '../../../shared/store/firestore.ts';"],
  ['shared/patient', 'export const planted = Math.max(1, Buffer.byteLength("x"));'],
  ['shared/patient', "export type { Instant } from '../../platform/clock.ts';"],
  ['test/support', "export { Kafka } from 'kafkajs';"],
  ['infra/local', `/* oxlint-disable max-lines -- a list */\n${tooLong}`],
];

interface Planted {
  /** The rule that must be red, as a pattern; undefined where none may be. */
  readonly rule: string | undefined;
  readonly plant: Plant;
}

const pureRules = '^(eslint\\(no-(undef|restricted-globals)\\)|rooms\\(pure\\))$';
const planted: readonly Planted[] = [
  ...wrongArrows.map((plant) => ({ rule: '^rooms\\(arrows\\)$', plant })),
  ...impure.map((code) => ({ rule: pureRules, plant: domain(`export const planted = ${code};`) })),
  ...impureDeclarations.map((source) => ({ rule: pureRules, plant: domain(source) })),
  { rule: pureRules, plant: ['shared/events', 'export const at = Date.now();'] },
  ...namedTwice.map((plant) => ({ rule: '^rooms\\(collections\\)$', plant })),
  ...['shared/store', 'functions/ops', 'infra/local', 'test/support'].map((where) => ({
    rule: '^eslint\\(max-lines\\)$',
    plant: [where, tooLong] as const,
  })),
  ...harmless.map((plant) => ({ rule: undefined, plant })),
];

function domain(source: string): Plant {
  return ['shared/patient', source];
}

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** Writes all plants, lints them in one run, and says which rules each plant broke. */
async function lintAll(): Promise<ReadonlyMap<Planted, readonly string[]>> {
  const files = new Map<string, Planted>();
  for (const one of planted) {
    const [where, source, name = 'fault.ts'] = one.plant;
    const folder = await mkdtemp(join(root, where, 'planted-'));
    folders.push(folder);
    await writeFile(join(folder, name), `${source}\n`);
    files.set(relative(root, join(folder, name)), one);
  }
  const oxlint = join(root, 'node_modules/.bin/oxlint');
  const { stdout } = await run(oxlint, ['--format', 'json', ...files.keys()], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error: { stdout: string }) => error);
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { filename: string; code: string }[] };
  return new Map(
    [...files].map(([file, one]) => [
      one,
      diagnostics.filter(({ filename }) => filename === file).map(({ code }) => code),
    ]),
  );
}

const broken = await lintAll();

describe('the linter', () => {
  it.each(planted.filter(({ rule }) => rule !== undefined).map((one) => [...one.plant, one] as const))(
    'refuses in %s: %s',
    (...row) => {
      const one = row.at(-1) as Planted;
      expect(broken.get(one)).toContainEqual(expect.stringMatching(one.rule ?? ''));
    },
  );

  it.each(planted.filter(({ rule }) => rule === undefined).map((one) => [...one.plant, one] as const))(
    'accepts in %s: %s',
    (...row) => {
      const rules = broken.get(row.at(-1) as Planted);
      expect(rules?.filter((rule) => /rooms|max-lines|no-undef|no-restricted/.test(rule))).toEqual([]);
    },
  );
});

/** Files that git knows or would add, by extension. */
async function sources(...extensions: string[]): Promise<{ file: string; text: string }[]> {
  const patterns = extensions.map((extension) => `*.${extension}`);
  const listed = await run('git', ['ls-files', '-co', '--exclude-standard', ...patterns], { cwd: root });
  const files = listed.stdout.split('\n').filter((file) => file !== '' && !file.includes('/planted-'));
  return Promise.all(files.map(async (file) => ({ file, text: await readFile(join(root, file), 'utf8') })));
}

describe('the sources', () => {
  it('switch a rule off by name and with a reason, and never a rule of the architecture', async () => {
    const off = (await sources('ts', 'js', 'mjs')).flatMap(({ file, text }) =>
      [...text.matchAll(/(?:\/\*|\/\/) *(?:ox|es)lint-disable.*/g)].map(([line]) => `${file}: ${line}`),
    );
    const stated =
      /lint-disable(-next-line|-line)? (?!.*(rooms\/|no-undef|no-restricted))[\w/-]+(, [\w/-]+)* -- \S+ .*\S/;
    expect(off.filter((line) => !stated.test(line) && !line.startsWith('test/layers.test.ts'))).toEqual([]);
  });

  it('that the linter does not read say so too where they have more than 250 lines', async () => {
    const long = (await sources('tf', 'sh')).filter(({ text }) => text.trimEnd().split('\n').length > 250);
    const silent = long.filter(({ text }) => !/^# Longer than 250 lines: \S/m.test(text));
    expect(silent.map(({ file }) => file)).toEqual([]);
  });

  it('have each collection in the module that the table names', async () => {
    const stores = await sources('ts');
    for (const [collection, owner] of Object.entries(collections)) {
      const named = stores.filter(({ file, text }) => file === owner && text.includes(`'${collection}'`));
      expect(named, collection).toHaveLength(1);
    }
  });

  it('fill every row of the table of imports', async () => {
    const files = (await sources('ts', 'mjs', 'js')).map(({ file }) => file);
    const empty = Object.keys(arrows).filter(
      (row) => !files.some((file) => file === row || dirname(file) === row || file.startsWith(`${row}/`)),
    );
    expect(empty).toEqual([]);
  });
});
