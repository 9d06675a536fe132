import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';

const infra = new URL('../', import.meta.url).pathname;

/** Ignores the machine's CLI configuration, which may name mirrors that do not exist. */
const environment = {
  ...process.env,
  TF_CLI_CONFIG_FILE: '/dev/null',
  TF_IN_AUTOMATION: '1',
  CHECKPOINT_DISABLE: '1',
};

async function terraform(...args: string[]): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)('terraform', args, { env: environment });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, output: stdout + stderr };
  }
}

const isInstalled = await terraform('version').then(
  () => true,
  () => false,
);

function needsTerraform(context: TestContext): void {
  if (isInstalled) return;
  loudSkip(context, 'terraform is not installed: formatting and the rules of the variables are NOT checked');
}

function loudSkip(context: TestContext, reason: string): void {
  console.warn(`\nSKIPPED: ${reason}\n`);
  context.skip(reason);
}

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'patient-service-terraform-'));
});
afterAll(() => rm(scratch, { recursive: true }));

describe('terraform fmt', () => {
  it('has nothing to change', async (context) => {
    needsTerraform(context);
    expect(await terraform('fmt', '-check', '-recursive', infra)).toEqual({ code: 0, output: '' });
  });

  it('turns red for a file that is not formatted', async (context) => {
    needsTerraform(context);
    const file = join(scratch, 'ragged.tf');
    await writeFile(file, 'locals {\n a = 1\n   long = 2\n}\n');
    expect((await terraform('fmt', '-check', file)).code).not.toBe(0);
  });
});

describe('terraform validate', () => {
  it('accepts infra/ where the google provider is installed', async (context) => {
    needsTerraform(context);
    const plugin = join(infra, '.terraform/providers/registry.terraform.io/hashicorp/google');
    if (!(await stat(plugin).catch(() => undefined))) {
      loudSkip(
        context,
        'no google provider: types, arguments and references of infra/ are NOT checked; ' +
          'run `terraform -chdir=infra init -backend=false` where there is internet (Cloud Build always does)',
      );
    }
    expect(await terraform(`-chdir=${infra}`, 'validate', '-no-color')).toMatchObject({ code: 0 });
  });
});

describe('the variables', () => {
  /** Plans the variables only. Terraform itself runs their rules, without a provider. */
  async function plan(tfvars: string): Promise<{ code: number; output: string }> {
    const folder = await mkdtemp(join(scratch, 'plan-'));
    await cp(join(infra, 'variables.tf'), join(folder, 'variables.tf'));
    await writeFile(join(folder, 'example.tfvars'), tfvars);
    await terraform(`-chdir=${folder}`, 'init', '-no-color');
    return terraform(`-chdir=${folder}`, 'plan', '-no-color', '-input=false', '-var-file=example.tfvars');
  }

  const example = (name: string) => readFile(join(infra, 'environments', name), 'utf8');

  it('accept every example environment', async (context) => {
    needsTerraform(context);
    const names = await readdir(join(infra, 'environments'));
    expect(names.sort()).toEqual(['dev.tfvars', 'prod.tfvars', 'small.tfvars']);
    for (const name of names) {
      const { code, output } = await plan(await example(name));
      expect(output).not.toMatch(/Error|undeclared/);
      expect(code).toBe(0);
    }
  });

  it.skipIf(!isInstalled).each<[string, string | RegExp, string, string]>([
    ['a public API', 'api_invokers = [', 'api_invokers = ["allUsers",', 'The API has no public access'],
    [
      'an administrator who cannot reach the API',
      '  "serviceAccount:erasure@patient-service-prod.iam.gserviceaccount.com",\n',
      '',
      'Who has a role (auth) must be able to reach the API',
    ],
    [
      'a person as administrator, who cannot get a token',
      'admins = ["erasure@patient-service-prod.iam.gserviceaccount.com"]',
      'admins = ["datenschutz@example.org"]',
      'to service accounts only',
    ],
    ['a public upload', /^uploaders .*$/m, 'uploaders = ["allAuthenticatedUsers"]', 'Name each uploader'],
    [
      'another region',
      /^environment .*$/m,
      'environment = "prod"\nregion = "us-central1"',
      'Patient data stays in Frankfurt',
    ],
    ['an image by tag', /patients-api@sha256:0+/, 'patients-api:latest', 'named by its digest'],
    ['mails in the clear', /https:\/\/communication/, 'http://communication', 'called by https'],
    ['a variable that does not exist', /^worker_instances/m, 'worker_instance', 'undeclared variable'],
    [
      'a build outside Europe',
      /^environment .*$/m,
      'environment = "prod"\nbuild_region = "us-central1"',
      'run in a region of Europe',
    ],
    [
      'a key in another region',
      /^environment .*$/m,
      'environment = "prod"\nkms_key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"',
      "lies in the data's region",
    ],
    [
      'alerts without a recipient',
      /^alert_mail_addresses .*$/m,
      'alert_mail_addresses = []',
      'Name at least one recipient',
    ],
  ])('turn red for %s', async (_, before, after, finding) => {
    const text = await example('prod.tfvars');
    expect(text).toMatch(before);
    // Terraform wraps its messages and draws a border on the left.
    const { output } = await plan(text.replace(before, after));
    expect(output.replaceAll(/\s*[│╷╵\n]\s*/g, ' ')).toContain(finding);
  });
});
