import { spawn } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSources, type Sources } from '../checks/hcl.ts';
import { Cloud } from './stand-in/cloud.ts';
import { standIns, type Answer, type Call, type Programs } from './stand-in/programs.ts';
import { Terraform } from './stand-in/terraform.ts';

// The tests run without Google Cloud. The stand-ins keep state and fail as the real services do: a service whose secret
// has no version is tainted, a protected service cannot be replaced, a trigger needs its service agents, and so on.
const root = new URL('../../', import.meta.url).pathname;
const services = ['import-registration', 'check-health', 'patients-api'];

let folder: string;
let cloud: Cloud;
let terraform: Terraform;
let programs: Programs;
let log: string[];
/** Called with every command before it takes effect. A returned answer replaces the command's own. */
let before: (line: string) => Answer | undefined;
/** Called with every command after it took effect. */
let after: (line: string) => void;
let sources: Sources;

beforeEach(async () => {
  sources = await readSources();
  await start('dev');
});
afterEach(stop);

async function start(environment: string, own = sources): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'patient-service-bootstrap-'));
  for (const file of [
    'infra/deploy',
    'infra/environments',
    'infra/Dockerfile',
    'infra/variables.tf',
    'cloudbuild.yaml',
  ])
    cpSync(join(root, file), join(folder, file), { recursive: true });
  for (const file of ['infra/Dockerfile', 'cloudbuild.yaml', 'infra/deploy/promote.yaml']) pinned(file);
  edit((text) => text.replaceAll(`patient-service-${environment}`, 'project'), environment);
  cloud = new Cloud();
  cloud.folder = folder;
  terraform = await Terraform.of(own, cloud, () => tfvars(environment));
  log = [];
  before = () => undefined;
  after = () => {};
  programs = await standIns(['gcloud', 'terraform', 'curl'], answer);
}

async function stop(): Promise<void> {
  await programs[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}

function answer({ program, args, stdin }: Call): Answer {
  const line = `${program} ${args.join(' ')}`;
  log.push(line);
  const instead = before(line);
  if (instead !== undefined) return instead;
  const own =
    program === 'curl'
      ? { stdout: '{"status":"healthy"}' }
      : program === 'terraform'
        ? terraform.handle(args)
        : cloud.handle(args, stdin);
  after(line);
  return own;
}

const tfvars = (environment = 'dev') =>
  readFileSync(join(folder, `infra/environments/${environment}.tfvars`), 'utf8');
function edit(change: (text: string) => string, environment = 'dev'): void {
  writeFileSync(join(folder, `infra/environments/${environment}.tfvars`), change(tfvars(environment)));
}
function pinned(file: string): void {
  const text = readFileSync(join(folder, file), 'utf8');
  const pin = `@sha256:${'1'.repeat(64)}`;
  writeFileSync(
    join(folder, file),
    text.replaceAll(/^(FROM | +name: )([^\s@]+)(?:@sha256:\w+)?/gm, `$1$2${pin}`),
  );
}

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** @param running receives a function that sends a signal to the process group of the script */
async function bootstrap(
  args: readonly string[] = ['project', 'dev', '--yes'],
  running: (kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  const child = spawn(join(folder, 'infra/deploy/bootstrap.sh'), args, {
    detached: true,
    env: { PATH: programs.path, PAUSE: '0', KAFKA_SASL_PASSWORD: 'secret-word' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running((signal) => {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  });
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  child.stderr.on('data', (chunk) => (said += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, said };
}

function expectRunning(): void {
  for (const name of services) expect(cloud.services.all.get(name)).toMatchObject({ ready: true });
  expect([...terraform.state.values()].filter(({ tainted }) => tainted)).toEqual([]);
  expect(cloud.worker.live).not.toBe('');
  expect(cloud.subscription).toEqual({ retention: '604800s', deadLetters: true });
  expect(cloud.storage.buckets.get('project-terraform')).toEqual({
    versioning: true,
    publicAccessPrevention: true,
    location: 'europe-west3',
  });
  for (const versions of cloud.secrets.values()) expect(versions).toHaveLength(1);
}

describe('the stand-ins', () => {
  it('reproduce a known failure of a first apply: tainted services that cannot be replaced', async () => {
    const asBefore = Object.fromEntries(
      Object.entries(sources).map(([name, text]) => [
        name,
        text
          .replaceAll(/^data "google_secret_manager_secret_version".*?^}/gms, '')
          .replaceAll(/^ *data\.google_secret_manager_secret_version\.first,\n/gm, '')
          .replaceAll('var.deletion_protection', 'true')
          .replaceAll(/^variable "deletion_protection".*?^}/gms, ''),
      ]),
    );
    await stop();
    await start('dev', asBefore);
    for (const agent of ['eventarc', 'pubsub']) cloud.agents.add(agent);
    edit((text) => text.replace('registrations_are_signed = false', 'registrations_are_signed = true'));

    expect(terraform.handle(['apply']).stderr).toContain('container failed to start');
    cloud.secrets.get('registration-hmac-key')?.push('key');
    cloud.secrets.get('kafka-sasl-password')?.push('word');
    expect(terraform.handle(['apply']).stderr).toContain(
      'cannot destroy service without setting deletion_protection=false',
    );
  });

  it('refuse a trigger without service agents', () => {
    expect(terraform.handle(['apply']).stderr).toContain('does not exist');
    expect(cloud.subscription).toBeUndefined();
  });
});

describe('bootstrap.sh', () => {
  it('sets up a running system in an empty project, and a second run changes nothing', async () => {
    const { code, said } = await bootstrap();
    expect(said).toContain('step 9 of 9');
    expect(said).toContain('project is running');
    expect(code).toBe(0);
    expectRunning();
    expect(tfvars()).toContain(`/project/patient-service/check-health@sha256:${'a'.repeat(64)}"`);
    expect(tfvars()).toContain('trigger_subscription = "eventarc-registration-sub-1"');
    expect(said).not.toContain('\u001b');

    log = [];
    const again = await bootstrap();
    expect(again.code).toBe(0);
    expect(again.said.match(/already done/g)).toHaveLength(8);
    expect(
      log.filter((line) => /terraform.* (apply|init)|create|enable |update|submit|add/.test(line)),
    ).toEqual([]);
  });

  it('shows the plan and changes nothing, with --plan and without a terminal', async () => {
    const { code, said } = await bootstrap(['project', 'dev', '--plan']);
    expect(code).toBe(0);
    expect(said).toContain('1  to do  enable the services');
    const unanswered = await bootstrap(['project', 'dev']);
    expect(unanswered.code).toBe(3);
    expect(unanswered.said).toContain('use --yes to continue without asking');
    expect(cloud.enabled.size + cloud.storage.buckets.size + terraform.state.size).toBe(0);
  });

  it('protects the services in its last apply', async () => {
    await bootstrap();
    const applies = log.filter((line) => line.includes(' apply '));
    expect(applies.at(-1)).not.toContain('deletion_protection=false');
  });

  it('repairs services that an earlier first apply left tainted and protected', async () => {
    await bootstrap();
    for (const [address, made] of terraform.state)
      if (/^google_cloud_run_v2_(service\.function\["check-health"\]|worker_pool\.)/.test(address))
        terraform.state.set(address, { ...made, tainted: true, isProtected: true });
    cloud.services.all.get('check-health')!.ready = false;
    const { code, said } = await bootstrap();
    expect(said).toContain('is running');
    expect(code).toBe(0);
    expectRunning();
  });

  it('names the setting to change when Cloud Build may not build in the region', async () => {
    cloud.buildRegions = ['europe-west4'];
    const { code, said } = await bootstrap();
    expect(code).toBe(3);
    expect(said).toContain(
      'may not build in europe-west1, set build_region in infra/environments/dev.tfvars',
    );
    expect(said).toContain('stopped in step 6 of 9 (images). To continue, run the same command again');
    edit((text) => `${text}\nbuild_region = "europe-west4"\n`);
    expect((await bootstrap()).code).toBe(0);
    expectRunning();
  });

  it('copies the first images of production from the environment that tested them', async () => {
    await stop();
    await start('prod');
    edit((text) => text.replaceAll(/^promotes_from.*$/gm, 'promotes_from = "project-dev"'), 'prod');
    const { code } = await bootstrap(['project', 'prod', '--yes']);
    expect(log.find((line) => line.includes('builds submit'))).toMatch(
      /--config=infra\/deploy\/promote.yaml .*--substitutions=_DEPLOY=no,_FROM=project-dev/,
    );
    expect(code).toBe(0);
    expectRunning();
    expect(cloud.secrets.get('registration-hmac-key')).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  it.each([
    [
      'a project other than the one in the settings',
      ['other', 'dev', '--yes'],
      'is for the project project, not other',
    ],
    [
      'an environment without settings',
      ['project', 'staging', '--yes'],
      'infra/environments/staging.tfvars does not exist',
    ],
    ['an unknown option', ['project', 'dev', '--force'], 'unknown option --force'],
    ['no environment', ['project'], 'bootstrap.sh PROJECT ENVIRONMENT'],
  ])('refuses %s before anything happens', async (_, args, text) => {
    const { code, said } = await bootstrap(args);
    expect(code).toBeGreaterThan(0);
    expect(said).toContain(text);
    expect(log.filter((line) => line.includes('enable'))).toEqual([]);
  });

  it('does not build on base images that are not pinned', async () => {
    const file = join(folder, 'infra/Dockerfile');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/@sha256:\w+/, ''));
    const { code, said } = await bootstrap();
    expect(code).toBe(3);
    expect(said).toMatch(/not pinned by digest|needs crane/);
  });

  it('says how to unlock the state after Terraform was killed', async () => {
    await bootstrap(undefined, (kill) => {
      terraform.onEffect = (what) => {
        if (what.startsWith('after google_storage_bucket.')) {
          terraform.onEffect = () => {};
          kill('SIGKILL');
          throw new Error('killed');
        }
      };
    });
    const { said } = await bootstrap();
    expect(said).toContain('terraform -chdir=infra force-unlock lock-1');
    terraform.handle(['force-unlock', '-force', 'lock-1']);
    expect((await bootstrap()).code).toBe(0);
    expectRunning();
  });
});

/** Commands that change something, in the order of a whole run. */
const changes =
  /terraform -chdir=infra (apply|init)|services enable|buckets (create|update)|identity create|add-iam-policy|versions add|builds submit/;

describe('an interruption', () => {
  /** Runs the bootstrap until it succeeds. In each run it interferes with the next change, before or after it. */
  async function interfereWithEach(at: 'before' | 'after', signal: NodeJS.Signals): Promise<number> {
    const seen = new Set<string>();
    let interferences = 0;
    let killed: (signal: NodeJS.Signals) => void = () => {};
    const interfere = (line: string) => {
      const mark = line.replaceAll(/build-\d+/g, '');
      if (!changes.test(line) || seen.has(mark)) return undefined;
      seen.add(mark);
      interferences += 1;
      killed(signal);
      return { code: 1, stderr: 'ERROR: (gcloud) UNAVAILABLE: try again\n' };
    };
    if (at === 'before') before = interfere;
    else after = (line) => void interfere(line);
    for (let run = 1; run <= 30; run++) {
      const { code, said } = await bootstrap(undefined, (kill) => (killed = kill));
      if (code === 0) return interferences;
      if (signal === 'SIGINT') expect(said).toMatch(/stopped .*in step \d of 9 .*run the same command again/);
    }
    throw new Error('the bootstrap did not finish in 30 runs');
  }

  it.each([
    ['before', 'SIGKILL'],
    ['after', 'SIGKILL'],
    ['after', 'SIGINT'],
  ] as const)('%s each change by %s is completed by the next run', async (at, signal) => {
    expect(await interfereWithEach(at, signal)).toBeGreaterThan(12);
    expectRunning();
    expect(cloud.builds.size).toBe(1);
  });

  it('does not happen when every changing command fails once, because each is tried again', async () => {
    const seen = new Set<string>();
    before = (line) => {
      if (!changes.test(line) || seen.has(line)) return undefined;
      seen.add(line);
      return { code: 1, stderr: 'ERROR: (gcloud) UNAVAILABLE: try again\n' };
    };
    expect((await bootstrap()).code).toBe(0);
    expectRunning();
    expect(cloud.builds.size).toBe(1);
  });

  it('creates no second key when the first cannot be read for a moment', async () => {
    edit((text) => text.replace('registrations_are_signed = false', 'registrations_are_signed = true'));
    await bootstrap();
    const [key] = cloud.secrets.get('registration-hmac-key') ?? [];
    before = (line) =>
      line.includes('secrets versions list') ? { code: 1, stderr: 'UNAVAILABLE\n' } : undefined;
    expect((await bootstrap()).code).not.toBe(0);
    expect(cloud.secrets.get('registration-hmac-key')).toEqual([key]);
  });
});
