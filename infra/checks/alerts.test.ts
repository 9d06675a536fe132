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

/** Thresholds that are variables have their default here. */
const alerts = Object.fromEntries(
  Object.entries({ ...alertsOf(locals), ...ofObjectives }).map(([name, alert]) => {
    const variable = /^\$\{var\.(\w+)\}$/.exec(String(alert.threshold))?.[1];
    return [
      name,
      variable === undefined ? alert : { ...alert, threshold: variables[variable]?.['default'] as number },
    ];
  }),
);

const pages = new URL('../../docs/runbooks/', import.meta.url);
const page = (name: string) => readFile(new URL(`${name}.md`, pages), 'utf8');
/** The page that defines the shell functions of the runbooks. */
const commandsPage = await page('README');

const runbooks = (await readdir(pages))
  .filter((file) => file !== 'README.md')
  .map((file) => file.replace(/\.md$/, ''))
  .sort();

/** One sample per minute for half an hour, as check-health reports it; `of` is the denominator of a ratio. */
function everyMinute(value: (minute: number) => number, of = 0): Point[] {
  return Array.from({ length: 30 }, (_, minute) => ({ at: minute * 60 + 30, value: value(minute), of }));
}

const HALF_AN_HOUR = 1800;

/** For each alert: values on which it must fire, and values on which it must not. */
const cases: Record<string, { faulty: Point[]; normal: Point[] }> = {
  'oldest-incoming-file': {
    faulty: everyMinute((minute) => minute * 60),
    normal: everyMinute((minute) => (minute * 60) % 840),
  },
  'import-failure-rate': { faulty: everyMinute(() => 25), normal: everyMinute(() => 20) },
  'outbox-age': {
    faulty: everyMinute((minute) => minute * 60),
    normal: everyMinute((minute) => (minute === 9 ? 400 : 5)),
  },
  'consumer-lag': {
    faulty: everyMinute(() => 1001),
    normal: everyMinute((minute) => (minute < 8 ? 5000 : 0)),
  },
  'standing-partition': {
    faulty: everyMinute((minute) => (minute === 20 ? 1 : 0)),
    normal: everyMinute(() => 0),
  },
  'unreadable-batch': {
    faulty: everyMinute((minute) => (minute === 20 ? 1 : 0)),
    normal: everyMinute(() => 0),
  },
  'missing-offsets': {
    faulty: everyMinute((minute) => (minute === 20 ? 3 : 0)),
    normal: everyMinute(() => 0),
  },
  'worker-fault': {
    faulty: everyMinute((minute) => (minute === 20 ? 1 : 0)),
    normal: everyMinute(() => 0),
  },
  'dead-letters': { faulty: everyMinute((minute) => (minute === 20 ? 1 : 0)), normal: everyMinute(() => 0) },
  'unsendable-message': {
    faulty: everyMinute((minute) => (minute === 20 ? 1 : 0)),
    normal: everyMinute(() => 0),
  },
  'worker-not-polling': {
    faulty: everyMinute((minute) => minute * 60),
    normal: everyMinute((minute) => minute % 12),
  },
  'api-5xx-ratio': {
    faulty: everyMinute(() => 3, 100),
    normal: everyMinute(() => 2, 100),
  },
  'scheduler-job-failing': {
    faulty: everyMinute(() => 1),
    normal: everyMinute((minute) => (minute % 5 === 0 ? 1 : 0)),
  },
  'health-silent': { faulty: everyMinute(() => 0).slice(0, 10), normal: everyMinute(() => 0) },
  'health-unreachable': {
    faulty: everyMinute((minute) => (minute < 20 ? 1 : 0)),
    normal: everyMinute((minute) => (minute === 20 ? 0 : 1)),
  },
  'slo-file-to-event': { faulty: everyMinute(() => 3, 20), normal: everyMinute(() => 1, 20) },
  'slo-api-availability': { faulty: everyMinute(() => 7, 100), normal: everyMinute(() => 2, 100) },
  'slo-outbox-age': {
    faulty: everyMinute((minute) => (minute < 10 ? 1 : 0), 1),
    normal: everyMinute((minute) => (minute === 20 ? 1 : 0), 1),
  },
  'eventarc-dead-letters': {
    faulty: everyMinute((minute) => (minute < 5 ? 0 : 1)),
    normal: everyMinute(() => 0),
  },
  restore: { faulty: everyMinute((minute) => (minute < 20 ? 0 : 1)), normal: everyMinute(() => 0) },
  'storage-filling': { faulty: everyMinute(() => 81), normal: everyMinute(() => 80) },
};

describe('alerts', () => {
  it('and runbooks correspond one to one', () => {
    expect(runbooks).toEqual(Object.keys(alerts).sort());
  });

  it('without a runbook are reported', async () => {
    const mistaken = await withMistake(
      sources,
      'alerts.tf',
      '    "storage-filling" = {',
      '    "storage-full" = {',
    );
    const names = Object.keys({ ...alertsOf(mistaken.locals), ...ofObjectives });
    expect(names.sort()).not.toEqual(runbooks);
  });

  it('name the metric and the resource type that they watch, which Monitoring requires', () => {
    const incomplete = Object.values(alerts).filter(
      ({ filter }) =>
        !filter.includes('${local.api_requests}') &&
        !(/resource\.type=|local\.of_check_health/.test(filter) && filter.includes('metric.type=')),
    );
    expect(incomplete).toEqual([]);
  });

  it('evaluate missing data only with a retest window, which Monitoring requires', () => {
    const policy = resources.find(({ type }) => type === 'google_monitoring_alert_policy');
    const texts = [...stringsIn(policy!.body)];
    const missing = texts.find(([path]) => path.at(-1) === 'evaluation_missing_data');
    expect(missing?.[1]).toBe(
      '${condition_threshold.value.for == "0s" ? null : "EVALUATION_MISSING_DATA_INACTIVE"}',
    );
  });

  it('carry the runbook and the definitions of its shell functions in less than 8 KiB', async () => {
    const contents = resources
      .filter(({ type }) => type === 'google_monitoring_alert_policy')
      .flatMap(({ body }) => [...stringsIn(body)])
      .filter(([path]) => path.at(-1) === 'content')
      .map(([, content]) => content);
    const [both = ''] = contents;
    expect(contents).toEqual([both, both]);
    expect(both).toContain(
      '[file("${path.module}/../docs/runbooks/${each.key}.md"), local.runbook_commands]',
    );
    expect(locals['runbook_commands']).toContain('docs/runbooks/README.md');
    for (const name of runbooks)
      expect(Buffer.byteLength(`${await page(name)}\n${commandsPage}`), name).toBeLessThan(8192);
  });

  it('carry runbooks that work in production and do not repeat the definitions of the README', async () => {
    expect(commandsPage.match(/^\w+(?=\(\) \{)/gm)).toEqual(['log', 'ops', 'health']);
    for (const name of runbooks) {
      const [steps = ''] = (await page(name)).split('## Tested');
      const commands = [...steps.matchAll(/```sh\n(.*?)```|`([^`\n]+)`/gs)]
        .map(([, block, word]) => block ?? word)
        .join('\n');
      expect(commands, name).not.toMatch(/^\w+\(\) \{/m);
      const usesThem = /^(OPS=write )?(ops|log|health) /m.test(commands);
      if (usesThem) expect(steps, name).toContain('[README](README.md)');
      expect(steps, name).not.toMatch(/npm run|\$[A-Z]|gcloud logging read (?!.*--bucket)|--order=asc/);
    }
  });

  it('all have an example below', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(alerts).sort());
  });

  it.each(Object.entries(alerts))(
    '%s fires on faulty values and stays quiet on normal ones',
    (name, alert) => {
      const { faulty = [], normal = [] } = cases[name] ?? {};
      expect(fires(alert, faulty, HALF_AN_HOUR)).toBe(true);
      expect(fires(alert, normal, HALF_AN_HOUR)).toBe(false);
    },
  );

  it('for a waiting registration fires within three minutes after the promised time', () => {
    const alert = alerts['oldest-incoming-file']!;
    const stuck = everyMinute((minute) => minute * 60);
    expect(fires(alert, stuck, 900)).toBe(false);
    expect(fires(alert, stuck, 900 + 180)).toBe(true);
  });
});
