import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { metrics } from '../../shared/platform/metrics.ts';
import { parseSources, readSources, stringsIn } from './hcl.ts';
import { withMistake } from './mutation.ts';

const sources = await readSources();

interface Defined {
  readonly kind: string;
  readonly labels: readonly string[];
}

const defined = (locals: object) => (locals as { service_metrics: Record<string, Defined> }).service_metrics;

describe('metrics', () => {
  it('are the same in the code and in infra/metrics.tf', async () => {
    expect(defined((await parseSources(sources)).locals)).toEqual(metrics);
  });

  it('turn red when one is forgotten', async () => {
    const line = '    mails_sent                     = { kind = "counter", labels = ["kind"] }\n';
    expect(defined((await withMistake(sources, 'metrics.tf', line, '')).locals)).not.toEqual(metrics);
  });

  const known = (name: string) => name in metrics || name === 'scheduler_failures';

  it('that an alert uses exist', async () => {
    const { locals } = await parseSources(sources);
    const watched = [...stringsIn([locals['alerts'], locals['slos']])].flatMap(([, text]) =>
      serviceMetricsIn(text, '${local.metric}/'),
    );
    expect(watched.length).toBeGreaterThan(5);
    expect(watched.filter((name) => !known(name))).toEqual([]);
  });

  it('that the dashboard shows exist', async () => {
    const text = await readFile(new URL('../dashboards/patient-service.json', import.meta.url), 'utf8');
    const drawn = [...serviceMetricsIn(text, 'user/patient_service/'), ...promqlMetricsIn(text)];
    expect(drawn.filter((name) => !known(name))).toEqual([]);
    expect(Object.keys(metrics).filter((name) => !drawn.includes(name))).toEqual([]);
  });

  it('are on a dashboard without zeros, because the API omits them and every plan would show a difference', async () => {
    const text = await readFile(new URL('../dashboards/patient-service.json', import.meta.url), 'utf8');
    expect(text).not.toMatch(/"(xPos|yPos)": 0\b|"collapsed": false/);
  });

  it('that a dashboard misspells are reported', () => {
    expect(
      [...serviceMetricsIn('user/patient_service/importz', 'user/patient_service/')].filter(
        (name) => !known(name),
      ),
    ).toEqual(['importz']);
  });
});

function serviceMetricsIn(text: string, prefix: string): string[] {
  return text
    .split(prefix)
    .slice(1)
    .map((rest) => /^\w+/.exec(rest)?.[0] ?? '');
}

function promqlMetricsIn(text: string): string[] {
  return [...text.matchAll(/logging_googleapis_com:user_patient_service_(\w+)_sum\{/g)].map(
    ([, name = '']) => name,
  );
}
