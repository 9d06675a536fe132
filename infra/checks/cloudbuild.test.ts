import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { deployables } from '../bundle.ts';
import { cloudbuildFindings } from './cloudbuild.ts';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
const text = await read('cloudbuild.yaml');
const promotion = await read('infra/deploy/promote.yaml');

describe('cloudbuild.yaml', () => {
  it('matches the schema of Cloud Build', () => {
    expect(cloudbuildFindings(text)).toEqual([]);
  });

  it('builds an image with the right entry point and with provenance for each deployable', () => {
    for (const [name, target] of Object.entries(deployables)) {
      expect(text).toContain(
        target === undefined ? `process_image ${name}\n` : `function_image ${name} ${target}\n`,
      );
      expect(text).toContain(`/patient-service/${name}:built-$BUILD_ID\n`);
    }
    expect(text).toContain('requestedVerifyOption: VERIFIED');
  });

  it('validates Terraform with the real provider', () => {
    expect(text).toMatch(/terraform init -backend=false -input=false\n\s+terraform validate/);
  });

  it.each([
    ['a misspelt key', 'timeout: 3600s', 'time_out: 3600s', '{"additionalProperty":"time_out"}'],
    [
      'a value that is not an option',
      'CLOUD_LOGGING_ONLY',
      'CLOUD_LOGS',
      'must be equal to one of the allowed values',
    ],
    ['a step that waits for nothing', 'waitFor: [images]', 'waitFor: [image]', 'step deploy waits for image'],
    ['a substitution that is not declared', "  _DEPLOY: 'yes'\n", '', '$_DEPLOY is used but not declared'],
    ['a default build account', /^serviceAccount: .*$/m, '', "must have required property 'serviceAccount'"],
  ])('turns red for %s', (_, before, after, finding) => {
    expect(text).toMatch(before);
    expect(cloudbuildFindings(text.replace(before, after)).join('\n')).toContain(finding);
  });
});

describe('promote.yaml', () => {
  it('matches the schema of Cloud Build', () => {
    expect(cloudbuildFindings(promotion)).toEqual([]);
  });

  it('builds nothing', () => {
    expect(promotion).not.toMatch(/docker build|npm/);
  });
});
