/** Versions that stand in several places: package.json, Docker, Cloud Build, Terraform, code and pages. */
import { describe, expect, it } from 'vitest';
import { bundleTarget } from '../infra/bundle.ts';
import { JAVA_AT_LEAST } from '../infra/local/engines/machine.ts';
import { filesIn, read, said } from './support/stated.ts';

interface Manifest {
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(await read('package.json')) as Manifest;

describe('versions', () => {
  it('of Node are one', async () => {
    const major = (await read('.nvmrc')).trim();
    const places = {
      engines: manifest.engines.node.replace('>=', ''),
      node: manifest.devDependencies['node']?.split('.')[0],
      types: manifest.devDependencies['@types/node']?.split('.')[0],
      bundle: bundleTarget.replace('node', ''),
    };
    expect(places).toEqual({ engines: major, node: major, types: major, bundle: major });
    const images = [
      await read('infra/Dockerfile'),
      await read('cloudbuild.yaml'),
      await read('infra/deploy/promote.yaml'),
    ].flatMap((text) => [...text.matchAll(/\bnode:(\d+)-|nodejs(\d+)-/g)].map(([, a, b]) => a ?? b));
    expect(new Set(images)).toEqual(new Set([major]));
    expect(said(/(?:own|\|) Node (\d+)/)).toEqual([major]);
  });

  it('of Terraform and its provider are one', async () => {
    const text = await read('infra/versions.tf');
    const [, program = ''] = /required_version = ">= ([\d.]+)"/.exec(text) ?? [];
    const [, provider = ''] = /version = "~> ([\d.]+)"/.exec(text) ?? [];
    expect(await read('cloudbuild.yaml')).toContain(`hashicorp/terraform:${program}`);
    expect(said(/`terraform` ≥ (\d+\.\d+)/)).toEqual([program]);
    expect(said(/provider\s(\d+\.\d+)/)).toEqual([provider]);
  });

  it('of kafkajs are one: the patched one, the published one, the sample and the pages', async () => {
    const sample = JSON.parse(await read('docs/samples/typescript/package.json')) as Manifest;
    const version = manifest.dependencies['kafkajs'];
    expect(manifest.devDependencies['kafkajs-published']).toBe(`npm:kafkajs@${version}`);
    expect(sample.dependencies['kafkajs']).toBe(version);
    expect(await filesIn('patches')).toContain(`kafkajs+${version}.patch`);
    expect(said(/kafkajs (?:has had no release since )?(\d+\.\d+\.\d+)/)).toEqual([version]);
  });

  it('of firebase-tools are the one whose private parts are used', async () => {
    const [major] = manifest.devDependencies['firebase-tools']?.split('.') ?? [];
    expect(await read('infra/local/engines/storage-process.ts')).toContain(`firebase-tools ${major} `);
  });

  it('of Java are the oldest that runs the engines', () => {
    expect(said(/Java (\d+)/)).toEqual([String(JAVA_AT_LEAST)]);
  });
});
