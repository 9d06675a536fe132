/** What a deployable gets in production, as infra/*.tf sets it. */
import type { Deployable } from '../../infra/bundle.ts';
import { parseSources, readSources, type Body } from '../../infra/checks/hcl.ts';

const { locals, resources } = await parseSources(await readSources());

/** The resource of each deployable. */
const places: Readonly<Record<Deployable, readonly [type: string, label: string]>> = {
  'import-registration': ['google_cloud_run_v2_service', 'function'],
  'patients-api': ['google_cloud_run_v2_service', 'function'],
  'check-health': ['google_cloud_run_v2_service', 'function'],
  'kafka-worker': ['google_cloud_run_v2_worker_pool', 'kafka_worker'],
  ops: ['google_cloud_run_v2_service', 'ops'],
};

/** The memory limit of a deployable. */
export function memoryLimitMiB(name: Deployable): number {
  const [type, label] = places[name];
  const resource = resources.find((one) => one.type === type && one.name === label);
  const limit = memoryIn(resource?.body);
  const [, size, unit] = /^(\d+)(Mi|Gi)$/.exec(limit) ?? [];
  if (size === undefined) throw new Error(`${type}.${label} has no memory limit in Mi or Gi: ${limit}`);
  return Number(size) * (unit === 'Gi' ? 1024 : 1);
}

/** The number of requests that one instance of a function handles at a time. */
export function concurrencyOf(name: Deployable): number {
  return Number((locals['functions'] as Record<string, Body>)[name]?.['concurrency']);
}

function memoryIn(body: Body | undefined): string {
  const { template } = body as {
    template: { containers: { resources: { limits: { memory: string } }[] }[] }[];
  };
  return template[0]?.containers[0]?.resources[0]?.limits.memory ?? 'none';
}
