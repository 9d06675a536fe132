import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fires, type Alert, type Point } from './alert-condition.ts';
import { parseSources, readSources, stringsIn } from './hcl.ts';
import { withMistake } from './mutation.ts';

const sources = await readSources();
const alertsOf = (locals: object) => (locals as { alerts: Record<string, Alert> }).alerts;
const { locals, resources, variables } = await parseSources(sources);

const { slos, burn_rates: rates } = locals as unknown as {
  slos: Record<string, { title: string; goal: number; distribution: string | null; total: string | null }>;
  burn_rates: Record<string, number>;
};
const ofObjectives = Object.fromEntries(
  Object.entries(slos).map(([name, { title, goal, distribution, total }]): [string, Alert] => [
    name,
    {
      title,
      severity: 'ERROR',
      filter: distribution ?? total ?? '',
      measure: 'burn',
      goal,
      rates,
      period: '60s',
      for: '0s',
    },
  ]),
);

/** Thresholds that are variables take their default. */
const alerts = Object.fromEntries(
  Object.entries({ ...alertsOf(locals), ...ofObjectives }).map(([name, alert]) => {
    const variable = /^\$\{var\.(\w+)\}$/.exec(String(alert.threshold))?.[1];
    return [
      name,
      variable === undefined ? alert : { ...alert, threshold: variables[variable]?.['default'] as number },
    ];
  }),
);

const runbooks = (await readdir(new URL('../../docs/runbooks/', import.meta.url)))
  .map((file) => file.replace(/\.md$/, ''))
  .sort();

/** One sample a minute for half an hour, as check-health reports it; `of` is the whole that it is a part of. */
function everyMinute(value: (minute: number) => number, of = 0): Point[] {
  return Array.from({ length: 30 }, (_, minute) => ({ at: minute * 60 + 30, value: value(minute), of }));
}

const HALF_AN_HOUR = 1800;

/** What each alert watches, in a case that must wake somebody and in one that must not. */
const cases: Record<string, { wakes: Point[]; sleeps: Point[] }> = {
  'oldest-incoming-file': {
    wakes: everyMinute((minute) => minute * 60),
    sleeps: everyMinute((minute) => (minute * 60) % 840),
  },
  'import-failure-rate': { wakes: everyMinute(() => 25), sleeps: everyMinute(() => 20) },
  'outbox-age': {
    wakes: everyMinute((minute) => minute * 60),
    sleeps: everyMinute((minute) => (minute === 9 ? 400 : 5)),
  },
  'consumer-lag': {
    wakes: everyMinute(() => 1001),
    sleeps: everyMinute((minute) => (minute < 8 ? 5000 : 0)),
  },
  'standing-partition': {
    wakes: everyMinute((minute) => (minute === 20 ? 1 : 0)),
    sleeps: everyMinute(() => 0),
  },
  'unreadable-batch': {
    wakes: everyMinute((minute) => (minute === 20 ? 1 : 0)),
    sleeps: everyMinute(() => 0),
  },
  'missing-offsets': {
    wakes: everyMinute((minute) => (minute === 20 ? 3 : 0)),
    sleeps: everyMinute(() => 0),
  },
  'worker-fault': {
    wakes: everyMinute((minute) => (minute === 20 ? 1 : 0)),
    sleeps: everyMinute(() => 0),
  },
  'dead-letters': { wakes: everyMinute((minute) => (minute === 20 ? 1 : 0)), sleeps: everyMinute(() => 0) },
  'unsendable-message': {
    wakes: everyMinute((minute) => (minute === 20 ? 1 : 0)),
    sleeps: everyMinute(() => 0),
  },
  'worker-not-polling': {
    wakes: everyMinute((minute) => minute * 60),
    sleeps: everyMinute((minute) => minute % 12),
  },
  'api-5xx-ratio': {
    wakes: everyMinute(() => 3, 100),
    sleeps: everyMinute(() => 2, 100),
  },
  'scheduler-job-failing': {
    wakes: everyMinute(() => 1),
    sleeps: everyMinute((minute) => (minute % 5 === 0 ? 1 : 0)),
  },
  'health-silent': { wakes: everyMinute(() => 0).slice(0, 10), sleeps: everyMinute(() => 0) },
  'health-unreachable': {
    wakes: everyMinute((minute) => (minute < 20 ? 1 : 0)),
    sleeps: everyMinute((minute) => (minute === 20 ? 0 : 1)),
  },
  'slo-file-to-event': { wakes: everyMinute(() => 3, 20), sleeps: everyMinute(() => 1, 20) },
  'slo-api-availability': { wakes: everyMinute(() => 7, 100), sleeps: everyMinute(() => 2, 100) },
  'slo-outbox-age': {
    wakes: everyMinute((minute) => (minute < 10 ? 1 : 0), 1),
    sleeps: everyMinute((minute) => (minute === 20 ? 1 : 0), 1),
  },
  'eventarc-dead-letters': {
    wakes: everyMinute((minute) => (minute < 5 ? 0 : 1)),
    sleeps: everyMinute(() => 0),
  },
  restore: { wakes: everyMinute((minute) => (minute < 20 ? 0 : 1)), sleeps: everyMinute(() => 0) },
  'storage-filling': { wakes: everyMinute(() => 81), sleeps: everyMinute(() => 80) },
};

describe('alerts', () => {
  it('have each its runbook, and each runbook has its alert', () => {
    expect(runbooks).toEqual(Object.keys(alerts).sort());
  });

  it('without a runbook are found', async () => {
    const mistaken = await withMistake(
      sources,
      'alerts.tf',
      '    "storage-filling" = {',
      '    "storage-full" = {',
    );
    const names = Object.keys({ ...alertsOf(mistaken.locals), ...ofObjectives });
    expect(names.sort()).not.toEqual(runbooks);
  });

  it('say which metric of which kind of resource they watch, or Monitoring refuses them', () => {
    const incomplete = Object.values(alerts).filter(
      ({ filter }) =>
        !filter.includes('${local.api_requests}') &&
        !(/resource\.type=|local\.of_check_health/.test(filter) && filter.includes('metric.type=')),
    );
    expect(incomplete).toEqual([]);
  });

  it('judge missing data only where they have a retest window, or Monitoring refuses them', () => {
    const policy = resources.find(({ type }) => type === 'google_monitoring_alert_policy');
    const texts = [...stringsIn(policy!.body)];
    const missing = texts.find(([path]) => path.at(-1) === 'evaluation_missing_data');
    expect(missing?.[1]).toBe(
      '${condition_threshold.value.for == "0s" ? null : "EVALUATION_MISSING_DATA_INACTIVE"}',
    );
  });

  it('carry runbooks that fit into a notification: 8 KiB', async () => {
    for (const name of runbooks) {
      const text = await readFile(new URL(`../../docs/runbooks/${name}.md`, import.meta.url));
      expect(text.byteLength, name).toBeLessThan(8192);
    }
  });

  it('carry runbooks that stand by themselves: what they use is defined there, and runs in production', async () => {
    for (const name of runbooks) {
      const text = await readFile(new URL(`../../docs/runbooks/${name}.md`, import.meta.url), 'utf8');
      const [steps = ''] = text.split('## Tried');
      const commands = [...steps.matchAll(/```sh\n(.*?)```|`([^`\n]+)`/gs)]
        .map(([, block, word]) => block ?? word)
        .join('\n');
      const defined: string[] = commands.match(/^\w+(?=\(\) \{)/gm) ?? [];
      const used = commands.match(/^(ops|log|health)(?= [^(])/gm) ?? [];
      expect([name, used.filter((form) => !defined.includes(form))]).toEqual([name, []]);
      expect(steps, name).not.toMatch(/npm run|\$[A-Z]|gcloud logging read (?!.*--bucket)|--order=asc/);
    }
  });

  it('have each a demonstration below', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(alerts).sort());
  });

  it.each(Object.entries(alerts))(
    '%s fires on the values of the fault and is quiet on those of a good day',
    (name, alert) => {
      const { wakes = [], sleeps = [] } = cases[name] ?? {};
      expect(fires(alert, wakes, HALF_AN_HOUR)).toBe(true);
      expect(fires(alert, sleeps, HALF_AN_HOUR)).toBe(false);
    },
  );

  it('for a waiting registration fires within three minutes of the promise to the patient', () => {
    const alert = alerts['oldest-incoming-file']!;
    const stuck = everyMinute((minute) => minute * 60);
    expect(fires(alert, stuck, 900)).toBe(false);
    expect(fires(alert, stuck, 900 + 180)).toBe(true);
  });
});
