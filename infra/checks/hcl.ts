/** Parses Terraform files into one plain model, offline. The checks interpret it. */
import { readdir, readFile } from 'node:fs/promises';
import { parse } from '@cdktf/hcl2json';

/** An argument's value: a literal, an expression as text (`"${…}"`), a list, or nested blocks. */
export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Body = Record<string, Value>;

export interface Resource {
  readonly kind: 'resource' | 'data';
  readonly type: string;
  readonly name: string;
  readonly body: Body;
}

export interface Configuration {
  readonly resources: readonly Resource[];
  readonly variables: Readonly<Record<string, Body>>;
  readonly locals: Body;
  /** Everything else that may hold references: outputs, checks, imports, the provider. */
  readonly rest: readonly Body[];
}

/** The text of each file, by file name. */
export type Sources = Readonly<Record<string, string>>;

const folder = new URL('../', import.meta.url);

/** The Terraform files of infra/. */
export async function readSources(): Promise<Sources> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.tf')).sort();
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')));
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']));
}

/** Parses the files. @throws Error that names file and line when a text is not valid HCL */
export async function parseSources(sources: Sources): Promise<Configuration> {
  const resources: Resource[] = [];
  const variables: Record<string, Body> = {};
  const locals: Body = {};
  const rest: Body[] = [];
  for (const [file, text] of Object.entries(sources)) {
    const { resource, data, variable, locals: own, ...other }: Parsed = await parse(file, text);
    resources.push(...labelled('resource', resource), ...labelled('data', data));
    for (const [name, bodies] of Object.entries(variable ?? {}))
      Object.assign(variables, { [name]: bodies[0] });
    for (const body of own ?? []) Object.assign(locals, body);
    rest.push(other as Body);
  }
  return { resources, variables, locals, rest };
}

type ByTypeAndName = Record<string, Record<string, Body[]>>;

interface Parsed {
  resource?: ByTypeAndName;
  data?: ByTypeAndName;
  variable?: Record<string, Body[]>;
  locals?: Body[];
  [other: string]: unknown;
}

function labelled(kind: Resource['kind'], types: ByTypeAndName = {}): Resource[] {
  return Object.entries(types).flatMap(([type, names]) =>
    Object.entries(names).flatMap(([name, bodies]) => bodies.map((body) => ({ kind, type, name, body }))),
  );
}

export function addressOf({ kind, type, name }: Resource): string {
  return kind === 'data' ? `data.${type}.${name}` : `${type}.${name}`;
}

/** Every string inside `value`, with the path of keys that leads to it. */
export function* stringsIn(
  value: unknown,
  path: readonly string[] = [],
): Generator<[readonly string[], string]> {
  if (typeof value === 'string') yield [path, value];
  else if (Array.isArray(value)) for (const item of value) yield* stringsIn(item, path);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) yield* stringsIn(item, [...path, key]);
  }
}
