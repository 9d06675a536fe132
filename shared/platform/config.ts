/** Reads the environment once, at start. Reports all faults in one message and resolves secrets. */
import type { z } from 'zod';
import { ServiceError } from './errors.ts';
import { variables, type VariableName } from './variables.ts';

/** The parsed values of the variables that a deployable named. */
export type Config<K extends VariableName> = { readonly [N in K]: z.output<(typeof variables)[N]> };

type Environment = Readonly<Record<string, string | undefined>>;

/** Fetches the text of a secret version named `projects/P/secrets/S/versions/V`. */
export type SecretReader = (version: string) => Promise<string>;

/**
 * Reads and validates the named variables and fills in defaults. An empty variable counts as unset. A value of the form
 * `sm://project/secret[/version]` is fetched from Secret Manager.
 * @throws ServiceError `config.invalid`, listing every fault and never a value
 * @example const config = await readConfig(['GOOGLE_CLOUD_PROJECT', 'GCS_IMPORT_BUCKET']);
 */
export async function readConfig<K extends VariableName>(
  names: readonly K[],
  environment: Environment = process.env,
  readSecret: SecretReader = readFromSecretManager,
): Promise<Config<K>> {
  const faults: string[] = [];
  const entries = await Promise.all(
    names.map(async (name) => {
      try {
        const raw = environment[name] === '' ? undefined : environment[name];
        const value = raw?.startsWith('sm://') ? await readSecret(secretVersion(raw)) : raw;
        const parsed = variables[name].safeParse(value);
        if (parsed.success) return [name, parsed.data];
        faults.push(`${name} ${value === undefined ? 'is not set' : reason(parsed.error)}`);
      } catch {
        faults.push(`${name} names a secret that cannot be read (expected sm://project/secret[/version])`);
      }
      return [name, undefined];
    }),
  );
  if (faults.length > 0) {
    throw new ServiceError('config.invalid', {
      detail: `Invalid environment: ${faults.sort().join('; ')}.`,
    });
  }
  return Object.fromEntries(entries) as Config<K>;
}

function reason(error: z.ZodError): string {
  return error.issues.map((issue) => issue.message).join(', ');
}

function secretVersion(reference: string): string {
  const parts = /^sm:\/\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(reference);
  if (parts === null) throw new ServiceError('config.invalid');
  return `projects/${parts[1]}/secrets/${parts[2]}/versions/${parts[3] ?? 'latest'}`;
}

async function readFromSecretManager(version: string): Promise<string> {
  // Imported here because the client adds 170 ms to the start, and most deployables have no secret.
  const { SecretManagerServiceClient } = await import('@google-cloud/secret-manager');
  const [answer] = await new SecretManagerServiceClient().accessSecretVersion({ name: version });
  return String(answer.payload?.data ?? '');
}
