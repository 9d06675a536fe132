/**
 * Stands in for Google Cloud behind `gcloud` and behaves like the real one as far as known. It refuses every command that
 * is not listed here, so the scripts cannot use one that nobody has checked.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { command, type Command } from './gcloud-arguments.ts';
import type { Answer } from './programs.ts';
import { Services } from './run.ts';
import { ObjectStore } from './storage.ts';

interface Build {
  status: string;
  readonly createTime: string;
  /** The account that approved the build. Only builds of a trigger with an approval have one. */
  readonly approver?: string;
  readonly substitutions?: string;
}

/** The digest of each image, by its address `REPOSITORY/NAME:TAG`. */
type Registry = Map<string, string>;

const refusal = (text: string, code = 1): Answer => ({ code, stderr: `ERROR: (gcloud) ${text}\n` });

export class Cloud {
  readonly services = new Services();
  readonly storage = new ObjectStore();
  readonly builds = new Map<string, Build>();
  readonly images: Registry = new Map();
  /** Image addresses with a digest that have provenance by Cloud Build. */
  readonly provenance = new Set<string>();
  readonly enabled = new Set<string>();
  readonly agents = new Set<string>();
  readonly bindings = new Set<string>();
  readonly secrets = new Map<string, string[]>();
  readonly worker = { image: '', live: '' as string, latest: '' };
  subscription: { retention: string; deadLetters: boolean } | undefined;
  healthReachable = true;
  /** Working directory of the commands. */
  folder = '/';

  readonly commands: Record<string, (command: Command, stdin: string) => Answer> = {
    'auth print-access-token': () => ({ stdout: 'access\n' }),
    'auth print-identity-token': () => ({ stdout: 'identity\n' }),
    'run deploy': (one) => this.services.deploy(one),
    'run services update-traffic': (one) => this.services.updateTraffic(one),
    'run services describe': (one) => this.services.describe(one),
    'run services update': (one) => this.services.update(one),
    'beta run worker-pools update': ({ flags }) => {
      this.worker.image = flags['image'] ?? '';
      this.worker.latest = 'kafka-worker-new';
      return {};
    },
    'beta run worker-pools update-instance-split': ({ flags }) => {
      this.worker.live = flags['to-revisions']?.split('=')[0] ?? this.worker.latest;
      return {};
    },
    'beta run worker-pools describe': () => ({
      stdout: this.worker.live === '' ? '' : `${this.worker.live},100\n`,
    }),
    'builds describe': ({ words, flags }) => {
      const build = this.builds.get(words[2] ?? '');
      if (build === undefined) return refusal(`NOT_FOUND: build ${words[2]}`);
      if (flags['format'] === 'value(status)') return { stdout: `${build.status}\n` };
      if (flags['format'] === 'value(createTime)') return { stdout: `${build.createTime}\n` };
      return { stdout: build.approver === undefined ? '\n' : `APPROVED\t${build.approver}\n` };
    },
    'storage cp': ({ words, flags }, stdin) => this.#copy(words, flags['if-generation-match'], stdin),
    'storage cat': ({ words }) => this.storage.read(words[2] ?? ''),
    'storage rm': ({ words, flags }) => this.storage.remove(words[2] ?? '', flags['if-generation-match']),
    'storage objects describe': ({ words }) => this.storage.describe(words[3] ?? ''),
    'auth list': () => ({ stdout: 'owner@example.org\n' }),
    'auth application-default print-access-token': () => ({ stdout: 'access\n' }),
    'billing projects describe': () => ({ stdout: 'True\n' }),
    'projects describe': () => ({ stdout: '42\n' }),
    'projects get-iam-policy': () => ({ stdout: [...this.bindings].join('\n') }),
    'projects add-iam-policy-binding': ({ flags }) => {
      const member = flags['member'] ?? '';
      const agent = /gcp-sa-(\w+)/.exec(member)?.[1] ?? '';
      if (!this.agents.has(agent)) return refusal(`INVALID_ARGUMENT: ${member} does not exist`);
      this.bindings.add(member);
      return {};
    },
    'services list': () => ({ stdout: [...this.enabled].map((one) => `${one}\n`).join('') }),
    'services enable': ({ words }) => {
      for (const one of words.slice(2)) this.enabled.add(one);
      return {};
    },
    'beta services identity create': ({ flags }) => {
      const [agent = ''] = flags['service']?.split('.') ?? [];
      if (!this.enabled.has(flags['service'] ?? '')) return refusal(`${agent} is not enabled`);
      this.agents.add(agent);
      return {};
    },
    'storage service-agent': () => ({ stdout: 'service-42@gs-project-accounts.iam.gserviceaccount.com\n' }),
    'storage buckets describe': ({ words }) => {
      const bucket = this.storage.buckets.get(words[3]?.slice(5) ?? '');
      if (bucket === undefined) return refusal(`${words[3]} not found: 404.`);
      const prevention = bucket.publicAccessPrevention ? 'enforced' : 'inherited';
      return {
        stdout: `${bucket.location.toUpperCase()},${bucket.versioning ? 'True' : ''},${prevention}\n`,
      };
    },
    'storage buckets create': ({ words, flags }) => {
      const name = words[3]?.slice(5) ?? '';
      if (this.storage.buckets.has(name)) return refusal('HTTPError 409: you already own this bucket.');
      if ('versioning' in flags) return refusal('unrecognized arguments: --versioning', 2);
      this.storage.buckets.set(name, {
        versioning: false,
        publicAccessPrevention: 'public-access-prevention' in flags,
        location: flags['location'] ?? 'us',
      });
      return {};
    },
    'storage buckets update': ({ words, flags }) => {
      const bucket = this.storage.buckets.get(words[3]?.slice(5) ?? '');
      if (bucket === undefined) return refusal('404');
      bucket.versioning = 'versioning' in flags;
      return {};
    },
    'secrets list': () => ({ stdout: [...this.secrets.keys()].map((one) => `${one}\n`).join('') }),
    'secrets versions list': ({ words }) => ({
      stdout: (this.secrets.get(words[3] ?? '') ?? []).map((_, index) => `${index + 1}\n`).join(''),
    }),
    'secrets versions add': ({ words }, stdin) => {
      this.secrets.get(words[3] ?? '')?.push(stdin);
      return this.secrets.has(words[3] ?? '') ? {} : refusal(`NOT_FOUND: ${words[3]}`);
    },
    'builds list': () => {
      const found = [...this.builds].find(([, { substitutions }]) => substitutions?.includes('_DEPLOY=no'));
      return { stdout: found === undefined ? '' : `${found[0]}\n` };
    },
    'builds submit': ({ flags }) => this.#submit(flags),
    'run services delete': ({ words }) =>
      this.services.all.delete(words[3] ?? '') ? {} : refusal('NOT_FOUND'),
    'beta run worker-pools delete': () => {
      const there = this.worker.image !== '';
      this.worker.image = '';
      return there ? {} : refusal('NOT_FOUND');
    },
    'pubsub subscriptions describe': () => {
      if (this.subscription === undefined) return refusal('NOT_FOUND');
      const topic = this.subscription.deadLetters ? 'projects/project/topics/registration-dead-letters' : '';
      return { stdout: `${this.subscription.retention},${topic}\n` };
    },
    'artifacts docker images describe': ({ words, flags }) => this.#image(words[4] ?? '', flags),
  };

  /** Regions in which Cloud Build may run for this project. */
  buildRegions = ['europe-west1'];
  readonly project = 'project';
  readonly environment = 'dev';

  handle(args: readonly string[], stdin: string): Answer {
    const parsed = command(args);
    const [, run] =
      Object.entries(this.commands)
        .filter(([name]) => `${parsed.words.join(' ')} `.startsWith(`${name} `))
        .sort(([a], [b]) => b.length - a.length)[0] ?? [];
    return run?.(parsed, stdin) ?? refusal(`Invalid choice: '${parsed.words.join(' ')}'`, 2);
  }

  #submit(flags: Command['flags']): Answer {
    const region = flags['region'] ?? '';
    if (!this.buildRegions.includes(region)) {
      return refusal(
        `FAILED_PRECONDITION: due to quota restrictions, Cloud Build cannot be run in ${region}`,
      );
    }
    const bucket = flags['gcs-source-staging-dir']?.split('/')[2] ?? '';
    if (!this.storage.buckets.has(bucket)) return refusal(`gs://${bucket} not found: 404.`);
    const id = `build-${this.builds.size + 1}`;
    this.builds.set(id, {
      status: 'SUCCESS',
      createTime: '2026-11-28T12:00:00Z',
      substitutions: flags['substitutions'] ?? '',
    });
    for (const name of ['import-registration', 'patients-api', 'check-health', 'kafka-worker', 'ops'])
      this.images.set(
        `europe-west3-docker.pkg.dev/${this.project}/patient-service/${name}:${id}`,
        `sha256:${'a'.repeat(64)}`,
      );
    return { stdout: `${id}\n` };
  }

  /** Creates what the Google provider would create. @returns the real service's error message when it cannot */
  make(type: string, name: string, key: string | undefined, secrets: readonly string[]): string | undefined {
    if (type === 'google_storage_bucket') {
      const bucket = { versioning: false, publicAccessPrevention: true, location: 'europe-west3' };
      this.storage.buckets.set(`${this.project}-${name.replace('_', '-')}`, bucket);
    }
    if (type === 'google_secret_manager_secret')
      for (const secret of secrets) this.secrets.set(secret, this.secrets.get(secret) ?? []);
    if (type === 'google_cloud_run_v2_service' && key !== undefined) {
      const reads = /import|health/.test(key) ? 'registration-hmac-key' : 'kafka-sasl-password';
      const ready = key === 'patients-api' || this.#starts(reads, secrets);
      this.services.create(key, 'first', this.environment, ready);
      if (!ready) return 'The user-provided container failed to start and listen on the port';
    }
    if (type === 'google_cloud_run_v2_worker_pool') {
      this.worker.image = 'first';
      if (!this.#starts('kafka-sasl-password', secrets)) return 'Revision is not ready';
      this.worker.live = 'kafka-worker-00001';
    }
    if (type === 'google_eventarc_trigger') {
      if (!this.agents.has('eventarc') || !this.agents.has('pubsub'))
        return 'Error 400: Permission denied while using the Eventarc Service Agent';
      this.subscription = { retention: '86400s', deadLetters: false };
    }
    if (type === 'google_project_iam_member' && name === 'service_agent' && !this.agents.has('eventarc'))
      return 'Error 400: Service account service-42@gcp-sa-eventarc.iam.gserviceaccount.com does not exist.';
    if (type === 'google_pubsub_subscription' && name === 'registration')
      this.subscription = { retention: '604800s', deadLetters: true };
    return undefined;
  }

  #starts(reads: string, secrets: readonly string[]): boolean {
    return !secrets.includes(reads) || (this.secrets.get(reads)?.length ?? 0) > 0;
  }

  #copy(words: readonly string[], ifGeneration: string | undefined, stdin: string): Answer {
    const [, , from = '', to = ''] = words;
    const text = from === '-' ? stdin : readFileSync(resolve(this.folder, from), 'utf8');
    return this.storage.put(to, text, ifGeneration);
  }

  #image(address: string, flags: Command['flags']): Answer {
    if ('show-provenance' in flags) {
      return { stdout: this.provenance.has(address) ? 'projects/p/occurrences/1\n' : '\n' };
    }
    const digest = this.images.get(address);
    return digest === undefined ? refusal(`NOT_FOUND: ${address}`) : { stdout: `${digest}\n` };
  }
}
