/** Checks the build files: their schema, the order of their steps, and their substitutions. */
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import schema from './cloudbuild.schema.json' with { type: 'json' };

interface Build {
  readonly substitutions?: Readonly<Record<string, string>>;
  readonly steps: readonly { readonly id: string; readonly waitFor?: readonly string[] }[];
}

/** Set by Cloud Build itself. */
const builtIn = new Set(['PROJECT_ID', 'BUILD_ID', 'COMMIT_SHA', 'LOCATION']);
const isBuild = new Ajv({ allErrors: true }).compile<Build>(schema);

export function cloudbuildFindings(text: string): string[] {
  const build: unknown = parse(text);
  if (!isBuild(build)) {
    return (isBuild.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
    );
  }
  const earlier = new Set(['-']);
  const findings: string[] = [];
  for (const { id, waitFor = [] } of build.steps) {
    for (const other of waitFor) {
      if (!earlier.has(other)) findings.push(`step ${id} waits for ${other}, which does not come before it`);
    }
    earlier.add(id);
  }
  const declared = Object.keys(build.substitutions ?? {});
  // `$$1` belongs to the shell; `$_REGION` and `$PROJECT_ID` to Cloud Build.
  const used = [...text.matchAll(/(?<!\$)\$\{?([A-Z_][A-Z0-9_]*)/g)].map(([, name = '']) => name);
  return [
    ...findings,
    ...used
      .filter((name) => !builtIn.has(name) && !declared.includes(name))
      .map((name) => `$${name} is used but not declared`),
    ...declared.filter((name) => !used.includes(name)).map((name) => `${name} is declared but not used`),
  ];
}
