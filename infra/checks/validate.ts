/**
 * What `terraform validate` would say of infra/, without the provider: every type, argument, block and reference
 * against the provider's schema. Values of enumerations are not known here; the provider checks them at plan.
 */
import { addressOf, stringsIn, type Body, type Configuration, type Resource, type Value } from './hcl.ts';
import { providerSchema, type Argument, type Block, type ProviderSchema } from './schema.ts';

const metaArguments = new Set([
  'count',
  'for_each',
  'depends_on',
  'provider',
  'lifecycle',
  'dynamic',
  'provisioner',
]);

/** Findings in words, each beginning with the address of the block; empty when the configuration is valid. */
export function validate(configuration: Configuration, schema: ProviderSchema = providerSchema): string[] {
  return [
    ...configuration.resources.flatMap((resource) => validateResource(resource, schema)),
    ...validateReferences(configuration, schema),
    ...unusedNames(configuration),
  ];
}

function validateResource(resource: Resource, schema: ProviderSchema): string[] {
  const address = addressOf(resource);
  const type = schema[resource.kind][resource.type];
  if (type === undefined) {
    return [`${address}: the provider has no such type (a new one: run infra/checks/distil-schema.ts)`];
  }
  const ignored = [...stringsIn(resource.body['lifecycle'])]
    .map(([, path]) => /^\$\{(\w+)/.exec(path)?.[1])
    .filter((name) => name !== undefined && !(name in type.arguments) && !(name in type.blocks));
  return [
    ...validateBlock(address, resource.body, type),
    ...ignored.map((name) => `${address}: lifecycle ignores ${name}, which is no argument`),
  ];
}

function validateBlock(address: string, body: Body, schema: Block): string[] {
  const dynamic = (body['dynamic'] ?? {}) as Record<string, Body[]>;
  const blocks: Record<string, Value> = { ...body };
  for (const [name, uses] of Object.entries(dynamic)) {
    blocks[name] = uses.flatMap((use) => (use['content'] as Body[] | undefined) ?? []);
  }
  const findings: string[] = [];
  for (const [name, value] of Object.entries(blocks)) {
    if (metaArguments.has(name)) continue;
    const argument = schema.arguments[name];
    const block = schema.blocks[name];
    if (argument !== undefined) {
      const fault = typeFault(value, argument);
      if (fault !== undefined) findings.push(`${address}: ${name} ${fault}`);
    } else if (block === undefined) {
      findings.push(`${address}: there is no argument or block ${name}`);
    } else if (!isBlocks(value)) {
      findings.push(`${address}: ${name} is a block, not an argument`);
    } else {
      if (block.single === true && value.length > 1) findings.push(`${address}: only one ${name} is allowed`);
      findings.push(...value.flatMap((nested) => validateBlock(`${address}.${name}`, nested, block)));
    }
  }
  const required = [...Object.entries(schema.arguments), ...Object.entries(schema.blocks)];
  const missing = required.filter(([name, { required }]) => required === true && !(name in blocks));
  return [...findings, ...missing.map(([name]) => `${address}: ${name} is required`)];
}

function isBlocks(value: Value): value is Body[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null);
}

function typeFault(value: Value, { type }: Argument): string | undefined {
  if (value === null || (typeof value === 'string' && value.includes('${'))) return undefined;
  switch (type) {
    case 'string':
      return typeof value === 'object' ? 'must be a string' : undefined;
    case 'number':
      return typeof value !== 'object' && Number.isFinite(Number(value)) && typeof value !== 'boolean'
        ? undefined
        : 'must be a number';
    case 'bool':
      return value === true || value === false || value === 'true' || value === 'false'
        ? undefined
        : 'must be true or false';
    case 'list':
      return Array.isArray(value) && !value.some((item) => isObject(item))
        ? undefined
        : 'must be a list of values';
    case 'map':
      return isObject(value) ? undefined : 'must be a map';
    default:
      return type satisfies never;
  }
}

function isObject(value: Value): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Scope {
  readonly where: string;
  readonly body: unknown;
}

function scopesOf({ resources, variables, locals, rest }: Configuration): Scope[] {
  return [
    ...resources.map((resource) => ({ where: addressOf(resource), body: resource.body })),
    ...Object.entries(variables).map(([name, body]) => ({ where: `variable ${name}`, body })),
    ...Object.entries(locals).map(([name, body]) => ({ where: `local.${name}`, body })),
    ...rest.flatMap((body) => Object.entries(body).map(([where, nested]) => ({ where, body: nested }))),
  ];
}

const reference =
  /(?<![\w.])(?:var\.(?<variable>[\w-]+)(?:\.(?<attribute>[a-z]\w*))?|local\.(?<local>[\w-]+)|(?<data>data\.)?(?<type>google_\w+)\.(?<name>[\w-]+)(?<index>\[)?(?<rest>(?:\d+|"[^"]*"|[\w.]+)?\]?(?:\.[a-z]\w*)?))/g;

function validateReferences(configuration: Configuration, schema: ProviderSchema): string[] {
  const declared = new Map(configuration.resources.map((resource) => [addressOf(resource), resource]));
  const findings: string[] = [];
  for (const { where, body } of scopesOf(configuration)) {
    for (const [path, text] of stringsIn(body)) {
      if (!text.includes('${')) continue;
      for (const { groups = {}, 0: whole } of text.matchAll(reference)) {
        const say = (fault: string) => findings.push(`${where}: ${whole}: ${fault}`);
        const { variable, attribute, local, type, name, index, rest = '' } = groups;
        if (variable !== undefined) {
          const declaration = configuration.variables[variable];
          if (declaration === undefined) say('there is no such variable');
          else if (attribute !== undefined && !hasAttribute(declaration, attribute))
            say('the variable has no such attribute');
        } else if (local !== undefined) {
          if (!(local in configuration.locals)) say('there is no such local');
        } else if (type !== undefined) {
          const kind = groups['data'] === undefined ? 'resource' : 'data';
          const resource = declared.get(kind === 'data' ? `data.${type}.${name}` : `${type}.${name}`);
          if (resource === undefined) {
            say('there is no such resource');
            continue;
          }
          const many = 'for_each' in resource.body || 'count' in resource.body;
          const exported = /\.([a-z]\w*)$/.exec(rest)?.[1];
          if (index !== undefined && !many) say('the resource has neither count nor for_each');
          if (many && index === undefined && exported !== undefined)
            say('the resource has several instances: name one');
          if (
            exported !== undefined &&
            !exportsOf(schema, kind, type).includes(exported) &&
            path.at(-1) !== 'depends_on'
          ) {
            say(`the resource has no attribute ${exported}`);
          }
        }
      }
    }
  }
  return findings;
}

function hasAttribute(variable: Body, attribute: string): boolean {
  const type = variable['type'];
  return (
    typeof type !== 'string' || !type.includes('object(') || new RegExp(`\\b${attribute}\\s*=`).test(type)
  );
}

function exportsOf(schema: ProviderSchema, kind: Resource['kind'], type: string): string[] {
  const known = schema[kind][type];
  return known === undefined
    ? []
    : [...known.exports, ...Object.keys(known.arguments), ...Object.keys(known.blocks)];
}

function unusedNames(configuration: Configuration): string[] {
  const text = scopesOf(configuration)
    .filter(({ where }) => !where.startsWith('variable '))
    .flatMap(({ body }) => [...stringsIn(body)].map(([, value]) => value))
    .join('\n');
  const unused = (prefix: string, names: string[]) =>
    names
      .filter((name) => !new RegExp(`\\b${prefix}\\.${name}\\b`).test(text))
      .map((name) => `${prefix}.${name}: is never used`);
  return [
    ...unused('var', Object.keys(configuration.variables)),
    ...unused('local', Object.keys(configuration.locals)),
  ];
}
