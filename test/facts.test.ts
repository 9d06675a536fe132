/**
 * Facts that stand in more than one language: TypeScript, Terraform, YAML, Docker and prose cannot import one another. Each
 * fact has one source, and here every other place is read and compared with it. Lists that have a check of their own are
 * tested there: the environment, indexes and metrics in infra/checks, the fields and variables in the generated tables,
 * versions in versions.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { FAILING } from '../functions/check-health/checks/import.ts';
import { LAG } from '../functions/check-health/checks/kafka.ts';
import { FILLING } from '../functions/check-health/checks/storage.ts';
import { LONGEST_RUN_MS } from '../functions/check-health/run.ts';
import { deployables } from '../infra/bundle.ts';
import { stringsIn } from '../infra/checks/hcl.ts';
import { collections } from '../infra/lint/arrows.ts';
import { asyncApiDocument } from '../shared/events/asyncapi.ts';
import { patientEventPayloads } from '../shared/events/patient-events.ts';
import { communicationEventPayloads, therapistEventPayloads } from '../shared/events/consumed-events.ts';
import { MAX_MESSAGE_BYTES } from '../shared/kafka/consumer.ts';
import { consumedTopics, deadLetterTopicOf, groups, PARTITIONS, topics } from '../shared/kafka/topics.ts';
import { deadLetterCodes, errorCodes } from '../shared/platform/errors.ts';
import { metrics } from '../shared/platform/metrics.ts';
import { variables } from '../shared/platform/variables.ts';
import { ARCHIVES, INCOMING } from '../shared/registration/archive.ts';
import { LEDGER } from '../shared/registration/erasure-ledger.ts';
import { FENCE } from '../shared/registration/restore-fence.ts';
import { KEPT_DAYS } from '../shared/store/kept-days.ts';
import { pages, read, resource, said, terraform } from './support/stated.ts';

/** What the list of alerts says of one. */
function rowOf(alert: string): string | undefined {
  const lines = pages.get('docs/operations.md')?.split('\n');
  return lines?.find((line) => line.startsWith(`| [${alert}]`));
}

describe('topics and groups', () => {
  it('are those of infra/kafka.tf, with their dead letters and partitions', () => {
    expect(terraform.locals['kafka_topics']).toEqual(Object.values(topics));
    const topic = resource('google_managed_kafka_topic', 'events');
    expect(JSON.stringify(topic['for_each'])).toContain(deadLetterTopicOf('${topic}'));
    expect(topic['partition_count']).toBe(PARTITIONS);
  });

  it('are the channels of the AsyncAPI document', () => {
    const { channels } = asyncApiDocument() as { channels: Record<string, { address: string }> };
    expect(Object.values(channels).map(({ address }) => address)).toEqual(Object.values(topics));
  });

  it.each(Object.values(topics))(
    '%s is drawn on the local page and is among those to create',
    async (topic) => {
      expect(await read('infra/local/page/browser/flow.tsx')).toContain(`'${topic}'`);
      for (const page of ['docs/cost.md', 'docs/deployment.md']) {
        const paragraph = pages
          .get(page)
          ?.split('\n\n')
          .find((text) => text.includes('`.dlq`'));
        expect(paragraph, page).toContain(`\`${topic}\``);
      }
    },
  );

  it.each(consumedTopics)('%s has its events and its row on the events page', (name) => {
    const page = pages.get('docs/events.md')?.split('\n');
    expect(page).toContain(`## Events on ${topics[name]}`);
    expect(page?.filter((line) => line.startsWith(`| \`${topics[name]}\` |`))).toHaveLength(1);
  });

  it('that pages and infra name exist', () => {
    const known = new Set<string>([...Object.values(topics), ...Object.values(groups)]);
    const named = [...pages.values(), JSON.stringify(terraform)].flatMap((text) =>
      text.match(
        /\b(?:patient|communication|therapist)-events\b|\bpatient-service-(?:comm|therapist|ops)\b/g,
      ),
    );
    expect(named.filter((name) => name !== null && !known.has(name))).toEqual([]);
    for (const group of [groups.communication, groups.therapists])
      expect(pages.get('docs/domain.md')).toContain(group);
  });
});

describe('limits', () => {
  const alerts = terraform.locals['alerts'] as unknown as Record<
    string,
    { threshold: number; title: string }
  >;

  it.each([
    ['consumer-lag', LAG, ''],
    ['import-failure-rate', FAILING.degraded * 100, ' %'],
    ['storage-filling', FILLING * 100, ' %'],
  ])('%s: health, the alert, its runbook and the list of alerts agree', (name, limit, unit) => {
    expect(alerts[name]?.threshold).toBe(limit);
    const page = pages.get(`docs/runbooks/${name}.md`) ?? '';
    const symptom = page.slice(page.indexOf('**Symptom.**')).split('\n\n')[0];
    for (const sentence of [symptom, rowOf(name)])
      expect(sentence?.replaceAll(',', '')).toMatch(new RegExp(`\\b${limit}${unit}`));
  });

  it('each have a row in docs/operations.md, named like the alert and its runbook', () => {
    const rows = (pages.get('docs/operations.md') ?? '').matchAll(
      /^\| \[([\w-]+)\]\(runbooks\/([\w-]+)\.md\) \|/gm,
    );
    const listed = [...rows].map(([, name = '', file]) =>
      name === file ? name : `${name} links to ${file}`,
    );
    const objectives = Object.keys(terraform.locals['slos'] as object);
    expect(listed.sort()).toEqual([...Object.keys(alerts), ...objectives].sort());
  });

  it('of each alert have the title of their runbook', () => {
    const headings = Object.keys(alerts).map((name) => pages.get(`docs/runbooks/${name}.md`)?.split('\n')[0]);
    expect(Object.values(alerts).map(({ title }) => `# ${title}`)).toEqual(headings);
  });

  it('of a waiting file are 15 minutes everywhere', () => {
    const seconds = variables.IMPORT_STUCK_AFTER_SECONDS.parse(undefined);
    expect(said(/IMPORT_STUCK_AFTER_SECONDS` \((\d+)\)/)).toEqual([String(seconds)]);
    expect(said(/`incoming\/` for (?:more|longer) than (\d+) minutes/)).toEqual([String(seconds / 60)]);
  });

  it('of a consumed message is the same in the pages and in the code', () => {
    expect(said(/value of more than (\d+) KiB/)).toEqual([String(MAX_MESSAGE_BYTES / 1024)]);
  });

  it('of the objectives are what their titles and pages say', () => {
    const slos = terraform.locals['slos'] as unknown as Record<string, { title: string; goal: number }>;
    for (const [name, { title, goal }] of Object.entries(slos)) {
      const percent = `${+(goal * 100).toFixed(3)} %`;
      expect(title).toContain(percent);
      expect(rowOf(name), name).toContain(percent);
    }
  });

  it('of a run and of a file event leave time for what the code does', () => {
    const functions = terraform.locals['functions'] as unknown as Record<string, { timeout: string }>;
    const seconds = (text: unknown) => Number.parseInt(String(text), 10);
    const job = resource('google_cloud_scheduler_job', 'check_health');
    expect(job['attempt_deadline']).toBe(functions['check-health']?.timeout);
    expect(seconds(job['attempt_deadline']) * 1000).toBeGreaterThan(LONGEST_RUN_MS);
    const delivery = resource('google_pubsub_subscription', 'registration');
    expect(delivery['ack_deadline_seconds']).toBeGreaterThan(
      seconds(functions['import-registration']?.timeout),
    );
  });
});

describe('costs', () => {
  it('of the alerts count their conditions', () => {
    const alerts = Object.keys(terraform.locals['alerts'] as object).length;
    const ofObjectives =
      Object.keys(terraform.locals['slos'] as object).length *
      Object.keys(terraform.locals['burn_rates'] as object).length;
    expect(said(/(\d+) × ~1\.50/)).toEqual([String(alerts), String(alerts + ofObjectives)]);
  });

  it('of scanning count the images', () => {
    expect(said(/(\d+) images × /)).toEqual([String(Object.keys(deployables).length)]);
  });

  it('of instances are for the memory that they have', () => {
    const memoryOf = (type: string, name: string) =>
      /"memory":"(\d+)([GM]i)"/
        .exec(JSON.stringify(resource(type, name)))
        ?.slice(1)
        .join(' ');
    expect(said(/warm function instance \(1 vCPU, (\d+ [GM]i)B\)/)).toEqual([
      memoryOf('google_cloud_run_v2_service', 'function'),
    ]);
    expect(said(/1 vCPU and (\d+ [GM]i)B always on/)).toEqual([
      memoryOf('google_cloud_run_v2_worker_pool', 'kafka_worker'),
    ]);
    const vcpus = terraform.variables['kafka_vcpus']?.['default'];
    expect(said(/[Mm]anaged(?: Kafka)?, (\d+) vCPUs/).map(Number)).toEqual([vcpus]);
  });
});

describe('days', () => {
  it('of the archive are those of the bucket and of the pages', () => {
    const rules = resource('google_storage_bucket', 'import')['lifecycle_rule'] as unknown as {
      condition: { age: number; matches_prefix: string[] }[];
    }[];
    const ages = Object.fromEntries(
      rules.flatMap(({ condition }) =>
        condition.flatMap(({ age, matches_prefix }) => matches_prefix.map((prefix) => [prefix, age])),
      ),
    );
    const [processed, failed] = ARCHIVES;
    expect(ages).toEqual({
      [`${processed}/`]: KEPT_DAYS.processedFiles,
      [`${failed}/`]: KEPT_DAYS.failedFiles,
    });
    expect(said(/`failed\/`[^|.]*? (\d+) days/)).toEqual([String(KEPT_DAYS.failedFiles)]);
    expect(said(/`processed\/`[^|.]*? (\d+) days/)).toEqual([String(KEPT_DAYS.processedFiles)]);
    expect(said(/`imports\/\{record id\}`.* after (\d+) days/)).toEqual([String(KEPT_DAYS.failedFiles)]);
    expect(said(/`applied_events\/.* (\d+) days after/)).toEqual([String(KEPT_DAYS.appliedEvents)]);
  });

  it('that Terraform configures are those of the pages', () => {
    const stated = [...pages.values()].flatMap((text) => [...text.matchAll(/`(\w+_days)` \((\d+)\)/g)]);
    expect(stated.length).toBeGreaterThan(2);
    for (const [, name = '', days] of stated)
      expect([name, Number(days)]).toEqual([name, terraform.variables[name]?.['default']]);
  });

  it('of backups are those of Terraform', () => {
    const { retention } = resource('google_firestore_backup_schedule', 'daily');
    expect(retention).toBe(`${KEPT_DAYS.recoveryPoints * 24 * 3600}s`);
  });
});

describe('variables', () => {
  const groups = Object.entries(terraform.locals).filter(([name]) => name.startsWith('variables_of_'));
  const passedOn = groups
    .flatMap(([, group]) => Object.entries(group as Record<string, unknown>))
    .flatMap(([name, value]) => {
      const variable = /^\$\{var\.(\w+)\}$/.exec(String(value))?.[1];
      return variable === undefined ? [] : [[name, variable] as const];
    });

  it('that Terraform only passes on are found', () => expect(passedOn.length).toBeGreaterThan(10));

  it.each(passedOn)('%s has the same default in the code and in infra/variables.tf', (name, variable) => {
    const rule = variables[name as keyof typeof variables];
    const standard = rule.safeParse(undefined);
    const configured = terraform.variables[variable]?.['default'] ?? undefined;
    if (standard.success && configured !== undefined) expect(standard.data).toBe(configured);
  });

  it('of retention have the same least value', () => {
    const least = Number(/>= (\d+)/.exec(JSON.stringify(terraform.variables['retention_unpaid_days']))?.[1]);
    expect(variables.RETENTION_UNPAID_DAYS.safeParse(String(least)).success).toBe(true);
    expect(variables.RETENTION_UNPAID_DAYS.safeParse(String(least - 1)).success).toBe(false);
    expect(variables.RETENTION_CLOSED_DAYS.safeParse(String(least - 1)).success).toBe(false);
  });
});

describe('names', () => {
  const eventTypes = [patientEventPayloads, communicationEventPayloads, therapistEventPayloads].flatMap(
    Object.keys,
  );
  const families = [
    ...new Set(errorCodes.filter((code) => code.includes('.')).map((code) => code.split('.')[0])),
  ];

  it('of error codes in pages and alerts are codes', () => {
    const code = new RegExp(`[\`"](?:${families.join('|')})\\.[a-z_]+(?=[\`"])`, 'g');
    const named = [...pages.values(), [...stringsIn(terraform.locals)].join('\n')]
      .flatMap((text) => text.match(code) ?? [])
      .map((quoted) => quoted.slice(1));
    expect(named.length).toBeGreaterThan(5);
    // A variable of Terraform, a field of /health and a file that are written alike.
    const alike = ['auth.admins', 'kafka.reachable', 'config.ts'];
    const known = new Set<string>([...errorCodes, ...eventTypes, ...alike]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(deadLetterCodes)('%s has advice in the runbook of dead letters', (code) => {
    const rows = pages.get('docs/runbooks/dead-letters.md')?.match(/^\| `(?:event\.|unreadable).*$/gm);
    expect(rows?.filter((row) => row.split('|')[1]?.includes(`\`${code}\``))).toHaveLength(1);
  });

  it('of metrics in pages are metrics', () => {
    const named = [...pages.values()].flatMap((text) =>
      [...text.matchAll(/patient_service\/(\w+)/g)].map(([, name = '']) => name),
    );
    expect(named.filter((name) => !(name in metrics) && name !== 'scheduler_failures')).toEqual([]);
  });

  it('of folders in the bucket are those of the code', () => {
    const folders = new Set([INCOMING, ...ARCHIVES.map((folder) => `${folder}/`), LEDGER, FENCE]);
    const named = [...stringsIn(terraform.resources.map(({ body }) => body))].flatMap(([, text]) =>
      [...text.matchAll(/\/objects\/(\w+\/)/g)].map(([, folder = '']) => folder),
    );
    expect(named).toContain(INCOMING);
    expect(named.filter((folder) => !folders.has(folder))).toEqual([]);
  });

  it('of collections in docs/architecture.md and the indexes are those of the stores', async () => {
    const page = pages.get('docs/architecture.md') ?? '';
    const table = page.slice(
      page.indexOf('| Collection |'),
      page.indexOf('\n\n', page.indexOf('| Collection |')),
    );
    const rows = table
      .split('\n')
      .slice(2)
      .map((row) => row.split('|')[1] ?? '');
    const listed = rows.flatMap((cell) =>
      [...cell.matchAll(/`(?:patients\/\{id\}\/)?(\w+)/g)].map(([, name = '']) => name),
    );
    expect([...new Set(listed)].sort()).toEqual(Object.keys(collections).sort());
    const indexes = JSON.parse(await read('infra/firestore.indexes.json')) as Record<
      'indexes' | 'fieldOverrides',
      { collectionGroup: string }[]
    >;
    const indexed = [...indexes.indexes, ...indexes.fieldOverrides].map(
      ({ collectionGroup }) => collectionGroup,
    );
    expect(indexed.filter((name) => !(name in collections))).toEqual([]);
  });

  it('of deployables are those of Terraform', () => {
    const functions = Object.keys(terraform.locals['functions'] as object);
    const others = ['kafka-worker', 'ops'];
    expect([...functions, ...others].sort()).toEqual(Object.keys(deployables).sort());
    expect(Object.keys(terraform.locals['variable_groups'] as object).sort()).toEqual(
      Object.keys(deployables).sort(),
    );
  });
});

describe('probes', () => {
  it('ask the worker at the port and path that it answers', async () => {
    const text = JSON.stringify(resource('google_cloud_run_v2_worker_pool', 'kafka_worker'));
    expect(new Set([...text.matchAll(/"port":(\d+)/g)].map(([, port]) => Number(port)))).toEqual(
      new Set([variables.PORT.parse(undefined)]),
    );
    const [path] = /(?<="path":")[^"]+/.exec(text) ?? [''];
    expect(await read('functions/kafka-worker/index.ts')).toContain(`'${path}'`);
  });
});
