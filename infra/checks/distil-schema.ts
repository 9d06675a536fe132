/**
 * Rewrites provider-schema.json: the arguments of exactly the resources that infra/ uses, from the bindings of the
 * google provider (300 MB, hence not a dependency). Run it after using a new resource type or provider version:
 *
 *   npm install --prefix .local/provider --ignore-scripts @cdktf/provider-google@16.12.1
 *   node infra/checks/distil-schema.ts .local/provider/node_modules/@cdktf/provider-google
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseSources, readSources, type Resource } from './hcl.ts';
import type { Argument, NestedBlock, TypeSchema } from './schema.ts';

type Members = { name: string; type: string; required: boolean }[];

async function distil(bindings: string): Promise<void> {
  const { resources } = await parseSources(await readSources());
  const typesOf = async (kind: Resource['kind']) => {
    const types = [...new Set(resources.filter((one) => one.kind === kind).map((one) => one.type))].sort();
    return Object.fromEntries(
      await Promise.all(types.map(async (type) => [type, await typeSchema(bindings, kind, type)])),
    ) as Record<string, TypeSchema>;
  };
  const schema = {
    provider: await providerVersion(bindings),
    resource: await typesOf('resource'),
    data: await typesOf('data'),
  };
  await writeFile(new URL('provider-schema.json', import.meta.url), `${JSON.stringify(schema)}\n`);
}

async function providerVersion(bindings: string): Promise<string> {
  const { cdktf } = JSON.parse(await readFile(join(bindings, 'package.json'), 'utf8')) as {
    cdktf: { provider: { name: string; version: string } };
  };
  return `${cdktf.provider.name} ${cdktf.provider.version}`;
}

async function typeSchema(bindings: string, kind: Resource['kind'], type: string): Promise<TypeSchema> {
  const folder = type.replace(/^google_/, kind === 'data' ? 'data-google-' : '').replaceAll('_', '-');
  const text = await readFile(join(bindings, 'lib', folder, 'index.d.ts'), 'utf8');
  const interfaces = interfacesIn(text);
  const root = /constructor\(scope: Construct, id: string, config\??: (\w+)\)/.exec(text)?.[1];
  if (root === undefined) throw new Error(`${type}: no arguments found in ${folder}`);
  const { arguments: args, blocks } = blockSchema(root, interfaces);
  // Every resource has an id to read; the bindings list it as if it could be set.
  delete args['id'];
  return { arguments: args, blocks, exports: exportsIn(text) };
}

/** Interface name → members, in the shape that the bindings' generator writes. */
function interfacesIn(text: string): Map<string, Members> {
  const interfaces = new Map<string, Members>();
  for (const [, name = '', body = ''] of text.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)) {
    const members = [
      ...body.matchAll(/(\/\*\*(?:(?!\*\/).)*\*\/\s*)?readonly (\w+)(\??): (\{.*?\}|[^;]+);/gs),
    ].map(([, comment = '', camel = '', optional, type = '']) => ({
      name: /#(\w+) \w+#/.exec(comment)?.[1] ?? snakeCase(camel),
      type: type.replace(/\s*\|\s*cdktf\.IResolvable/, '').trim(),
      required: optional === '',
    }));
    interfaces.set(name, members);
  }
  return interfaces;
}

function blockSchema(name: string, interfaces: Map<string, Members>) {
  const args: Record<string, Argument> = {};
  const blocks: Record<string, NestedBlock> = {};
  for (const member of interfaces.get(name) ?? []) {
    const struct = member.type.replace('[]', '');
    const required = member.required ? { required: true as const } : {};
    if (interfaces.has(struct)) {
      const single = member.type.endsWith('[]') ? {} : { single: true as const };
      blocks[member.name] = { ...blockSchema(struct, interfaces), ...required, ...single };
    } else {
      args[member.name] = { type: argumentType(member.type), ...required };
    }
  }
  return { arguments: args, blocks };
}

function argumentType(type: string): Argument['type'] {
  if (type.startsWith('{')) return 'map';
  if (type.endsWith('[]')) return 'list';
  return type === 'boolean' ? 'bool' : type === 'number' ? 'number' : 'string';
}

function exportsIn(text: string): string[] {
  const body = /extends cdktf\.Terraform(?:Resource|DataSource) \{.*/s.exec(text)?.[0] ?? '';
  const getters = [...body.matchAll(/^ {4}get (\w+)\(\)/gm)].map(([, camel = '']) => camel);
  return getters
    .filter((camel) => !camel.endsWith('Input'))
    .map(snakeCase)
    .sort();
}

function snakeCase(camel: string): string {
  return camel.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const [bindings] = process.argv.slice(2);
if (bindings === undefined)
  throw new Error('Usage: node infra/checks/distil-schema.ts FOLDER_OF_THE_BINDINGS');
await distil(bindings);
