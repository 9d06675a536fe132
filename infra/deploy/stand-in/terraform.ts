/**
 * Stands in for Terraform with the Google provider. It creates the resources of the real infra/*.tf in the order of their
 * references, in the Google Cloud of cloud.ts. It updates resources only as far as a first apply needs it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressOf, parseSources, stringsIn, type Configuration, type Resource } from '../../checks/hcl.ts';
import type { Cloud } from './cloud.ts';
import type { Answer } from './programs.ts';

/** An instance of a resource. The address includes the key when the resource has several instances. */
interface Instance {
  readonly address: string;
  readonly resource: Resource;
  readonly key: string | undefined;
}

interface Made {
  tainted: boolean;
  readonly isProtected: boolean;
}

/** The keys of resources with several instances, which can fail one by one. */
const keys: Record<string, readonly string[]> = {
  'google_cloud_run_v2_service.function': ['import-registration', 'patients-api', 'check-health'],
  'google_cloud_run_v2_service.ops': ['ops-read', 'ops-write'],
};

export class Terraform {
  readonly state = new Map<string, Made>();
  readonly #configuration: Configuration;
  readonly #cloud: Cloud;
  readonly #variables: () => string;
  /** Called before and after each resource is created, so that a test can interrupt there. */
  onEffect: (what: string) => void = () => {};
  /** Id of the state lock; it remains after Terraform was killed. */
  lock: string | undefined;
  /** Whether Monitoring knows the metrics. It does after the apply that created them. */
  #knownMetrics = false;

  private constructor(configuration: Configuration, cloud: Cloud, variables: () => string) {
    this.#configuration = configuration;
    this.#cloud = cloud;
    this.#variables = variables;
  }

  /** @param variables returns the current text of the tfvars */
  static async of(
    sources: Readonly<Record<string, string>>,
    cloud: Cloud,
    variables: () => string,
  ): Promise<Terraform> {
    return new Terraform(await parseSources(sources), cloud, variables);
  }

  handle(args: readonly string[]): Answer {
    const [name = '', ...rest] = args.filter((arg) => !arg.startsWith('-chdir='));
    const line = [name, ...rest].join(' ');
    if (name === 'init') return this.#init(rest);
    if (name === 'apply') return this.#apply(rest);
    if (name === 'plan') return { code: this.#missing().length === 0 ? 0 : 2 };
    if (line.startsWith('state list'))
      return { stdout: [...this.state.keys()].map((one) => `${one}\n`).join('') };
    if (line === 'state pull') return { stdout: this.#pull() };
    if (line.startsWith('state rm')) return this.state.delete(rest[1] ?? '') ? {} : { code: 1 };
    if (line === 'output -raw trigger_subscription') return { stdout: 'eventarc-registration-sub-1' };
    if (line === 'output -raw health_url') return { stdout: 'https://check-health.example' };
    if (name === 'force-unlock' && rest.at(-1) === this.lock) {
      this.lock = undefined;
      return {};
    }
    throw new Error(`unexpected command: terraform ${line}`);
  }

  /** The bucket of the state must exist. Terraform notes it below .terraform/. */
  #init(args: readonly string[]): Answer {
    const bucket = args.find((arg) => arg.startsWith('-backend-config=bucket='))?.split('=')[2] ?? '';
    if (!this.#cloud.storage.buckets.has(bucket)) return { code: 1, stderr: `Error: bucket ${bucket}` };
    const infra = join(this.#cloud.folder, 'infra');
    mkdirSync(join(infra, '.terraform'), { recursive: true });
    writeFileSync(join(infra, '.terraform/terraform.tfstate'), `{ "bucket": "${bucket}" }`);
    writeFileSync(join(infra, '.terraform.lock.hcl'), '');
    return {};
  }

  #isSet(variable: string): boolean {
    return new RegExp(`^${variable} *=`, 'm').test(this.#variables());
  }

  /** False for a resource that the variables switch off. */
  #exists({ type, name }: Resource): boolean {
    if (type.startsWith('google_managed_kafka')) return !this.#isSet('kafka_brokers');
    if (type === 'google_cloudbuild_trigger') return this.#isSet('repository');
    if (type === 'google_pubsub_subscription' && name === 'registration')
      return this.#isSet('trigger_subscription');
    return true;
  }

  #instances(): Instance[] {
    return this.#configuration.resources
      .filter((resource) => resource.kind === 'resource' && this.#exists(resource))
      .flatMap((resource): Instance[] => {
        const address = addressOf(resource);
        const all = keys[address];
        return all === undefined
          ? [{ address, resource, key: undefined }]
          : all.map((key) => ({ address: `${address}["${key}"]`, resource, key }));
      });
  }

  /** Addresses of the resources and data sources that `value` refers to, directly or through locals. */
  #references(value: unknown, seen = new Set<string>()): Set<string> {
    const found = new Set<string>();
    for (const [, text] of stringsIn(value)) {
      for (const { kind, type, name } of this.#configuration.resources) {
        const address = addressOf({ kind, type, name, body: {} });
        if (new RegExp(`(?<![\\w.])${address.replaceAll('.', '\\.')}(?!\\w)`).test(text)) found.add(address);
      }
      for (const [, local = ''] of text.matchAll(/\blocal\.(\w+)/g)) {
        if (seen.has(local)) continue;
        seen.add(local);
        for (const one of this.#references(this.#configuration.locals[local], seen)) found.add(one);
      }
    }
    return found;
  }

  /** The error of a data source that cannot be read. Resources that refer to it are not created. */
  #unreadable(address: string): string | undefined {
    if (address !== 'data.google_secret_manager_secret_version.first') return undefined;
    const empty = this.#neededSecrets().find((secret) => !this.#cloud.secrets.get(secret)?.length);
    return empty === undefined ? undefined : `Error: secret version of ${empty} not found`;
  }

  #neededSecrets(): string[] {
    return [
      ...(/^registrations_are_signed *= *false/m.test(this.#variables()) ? [] : ['registration-hmac-key']),
      ...(/^ *sasl_username *=/m.test(this.#variables()) ? ['kafka-sasl-password'] : []),
    ];
  }

  #missing(): Instance[] {
    return this.#instances().filter(({ address }) => this.state.get(address)?.tainted !== false);
  }

  #apply(args: readonly string[]): Answer {
    if (this.lock !== undefined) {
      return {
        code: 1,
        stderr: `Error: Error acquiring the state lock\n\nLock Info:\n  ID:        ${this.lock}\n`,
      };
    }
    this.lock = 'lock-1';
    const targets = args.filter((arg) => arg.startsWith('-target=')).map((arg) => arg.slice(8));
    const isProtected = !args.includes('-var=deletion_protection=false') && this.#protectsByDefault();
    const errors: string[] = [];
    const failed = new Set<string>();
    const done = new Set<string>();
    const metricsBefore = this.#knownMetrics;
    const visit = (address: string): boolean => {
      if (done.has(address)) return !failed.has(address);
      done.add(address);
      const unreadable = this.#unreadable(address);
      if (unreadable !== undefined) {
        errors.push(unreadable);
        failed.add(address);
        return false;
      }
      const resource = this.#configuration.resources.find((one) => addressOf(one) === address);
      const ready = [...this.#references(resource?.body)].map(visit).every(Boolean);
      const made = this.#instances()
        .filter((one) => one.resource === resource)
        .map((one) => ready && this.#make(one, isProtected, metricsBefore, errors));
      if (!ready || made.includes(false)) failed.add(address);
      return !failed.has(address);
    };
    const all = this.#configuration.resources.filter((one) => one.kind === 'resource' && this.#exists(one));
    for (const address of targets.length > 0 ? targets : all.map(addressOf)) visit(address);
    this.lock = undefined;
    this.#knownMetrics = this.state.has('google_logging_metric.service');
    return errors.length === 0 ? { stdout: 'Apply complete!\n' } : { code: 1, stderr: errors.join('\n') };
  }

  /** Older configurations have no such variable and always protect. */
  #protectsByDefault(): boolean {
    const variable = this.#configuration.variables['deletion_protection'];
    return variable === undefined || variable['default'] !== false;
  }

  #make(
    { address, resource, key }: Instance,
    isProtected: boolean,
    metricsAreKnown: boolean,
    errors: string[],
  ): boolean {
    const there = this.state.get(address);
    if (there?.tainted === false) return true;
    if (there?.tainted === true && there.isProtected) {
      errors.push(
        `Error: cannot destroy service without setting deletion_protection=false and running \`terraform apply\` (${address})`,
      );
      return false;
    }
    this.onEffect(`before ${address}`);
    const error =
      resource.type === 'google_monitoring_alert_policy' && !metricsAreKnown
        ? 'Cannot find metric that matches type'
        : this.#cloud.make(resource.type, resource.name, key, this.#neededSecrets());
    const isService = /_v2_(service|worker_pool)$/.test(resource.type);
    if (error === undefined || isService)
      this.state.set(address, { tainted: error !== undefined, isProtected });
    if (error !== undefined) errors.push(`Error: ${address}: ${error}`);
    this.onEffect(`after ${address}`);
    return error === undefined;
  }

  #pull(): string {
    const resources = [...this.state].map(([address, { tainted }]) => {
      const [, type, name, key] = /^(\w+)\.(\w+)(?:\["(.*)"\])?$/.exec(address) ?? [];
      const instance = {
        ...(key === undefined ? {} : { index_key: key }),
        ...(tainted ? { status: 'tainted' } : {}),
        schema_version: 0,
        attributes: { name: `${name}-attribute`, type: 'an attribute' },
      };
      return { mode: 'managed', type, name, provider: 'provider["google"]', instances: [instance] };
    });
    return `${JSON.stringify({ version: 4, serial: 1, resources }, undefined, 2)}\n`;
  }
}
