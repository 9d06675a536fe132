/** Compares the variables that a deployable reads with those that Terraform sets for it, in both directions. */
import type { Body, Configuration } from './hcl.ts';

/** Variables that Terraform must not set: they point to the local stack, or the platform sets them. */
const notOurs = new Set([
  'FIRESTORE_EMULATOR_HOST',
  'STORAGE_EMULATOR_HOST',
  'PATIENT_IMPORT_LOCAL_PATH',
  'LOCAL_PAGE_URL',
  'PORT',
  // Cloud Run's IAM refuses preflight requests, so browsers call the API through a backend.
  'CORS_ORIGINS',
]);

/** The variables that environment.tf sets, by deployable. */
export function variablesSet({ locals }: Configuration): Record<string, string[]> {
  const groups = locals['variable_groups'] as Record<string, string[]>;
  return Object.fromEntries(
    Object.entries(groups).map(([deployable, references]) => [
      deployable,
      references.flatMap((reference) => {
        const name = /^\$\{local\.(\w+)\}$/.exec(reference)?.[1] ?? '';
        return Object.keys((locals[name] ?? {}) as Body);
      }),
    ]),
  );
}

export function environmentFindings(
  deployable: string,
  read: readonly string[],
  set: readonly string[],
): string[] {
  return [
    ...read
      .filter((name) => !notOurs.has(name) && !set.includes(name))
      .map((name) => `${deployable}: ${name} is read but never set`),
    ...set
      .filter((name) => !read.includes(name))
      .map((name) => `${deployable}: ${name} is set but never read`),
    ...set
      .filter((name) => notOurs.has(name))
      .map((name) => `${deployable}: ${name} must not be set in production`),
  ];
}
