import { beforeAll, describe, expect, it } from 'vitest';
import { parseSources, readSources, type Sources } from './hcl.ts';
import { withMistake } from './mutation.ts';
import { validate } from './validate.ts';

let sources: Sources;
beforeAll(async () => {
  sources = await readSources();
});

describe('the schema of the provider', () => {
  it('accepts every block, argument and reference of infra/', async () => {
    expect(validate(await parseSources(sources))).toEqual([]);
  });

  it.each([
    [
      'a misspelt argument',
      'storage.tf',
      'force_destroy',
      'force_destory',
      'there is no argument or block force_destory',
    ],
    [
      'a misspelt block',
      'storage.tf',
      'soft_delete_policy {',
      'soft_deletion {',
      'there is no argument or block soft_deletion',
    ],
    [
      'an unknown type',
      'scheduler.tf',
      'resource "google_cloud_scheduler_job"',
      'resource "google_scheduler_job"',
      'no such type',
    ],
    [
      'a missing required argument',
      'trigger.tf',
      '  location        = var.region\n',
      '',
      'location is required',
    ],
    [
      'a text for a number',
      'trigger.tf',
      'ack_deadline_seconds       = 90',
      'ack_deadline_seconds = "soon"',
      'must be a number',
    ],
    [
      'a text for a truth',
      'storage.tf',
      'enabled = false',
      'enabled = "off"',
      'enabled must be true or false',
    ],
    [
      'a block written as an argument',
      'worker.tf',
      '  scaling {\n    scaling_mode          = "MANUAL"\n',
      '  scaling = {\n    scaling_mode          = "MANUAL"\n',
      'scaling is a block, not an argument',
    ],
    [
      'a second block where one is allowed',
      'scheduler.tf',
      '  retry_config {',
      '  retry_config {}\n  retry_config {',
      'only one retry_config',
    ],
    [
      'a mistake inside a dynamic block',
      'functions.tf',
      '          value = env.value',
      '          valeu = env.value',
      'there is no argument or block valeu',
    ],
    [
      'an unknown variable',
      'storage.tf',
      '"${var.project_id}-registrations"',
      '"${var.projekt}-registrations"',
      'there is no such variable',
    ],
    [
      'an unknown attribute of a variable',
      'environment.tf',
      'var.payment.iban',
      'var.payment.ibna',
      'the variable has no such attribute',
    ],
    [
      'an unknown local',
      'worker.tf',
      'local.environment["ops"]',
      'local.environments["ops"]',
      'there is no such local',
    ],
    [
      'an unknown resource',
      'firestore.tf',
      'google_firestore_database.patients.name\n  retention',
      'google_firestore_database.patient.name\n  retention',
      'there is no such resource',
    ],
    [
      'an attribute that no one exports',
      'outputs.tf',
      'function["patients-api"].uri',
      'function["patients-api"].url',
      'has no attribute url',
    ],
    [
      'one of several instances left open',
      'outputs.tf',
      'function["patients-api"].uri',
      'function.uri',
      'has several instances',
    ],
    [
      'an index into a single resource',
      'outputs.tf',
      'google_storage_bucket.import.name',
      'google_storage_bucket.import[0].name',
      'neither count nor for_each',
    ],
  ])('turns red for %s', async (_, file, before, after, finding) => {
    const findings = validate(await withMistake(sources, file, before, after));
    expect(findings.join('\n')).toContain(finding);
  });

  it('turns red for a variable that nothing uses', async () => {
    const idle = { ...sources, 'idle.tf': 'variable "idle" {\n  type = string\n}\n' };
    expect(validate(await parseSources(idle))).toEqual(['var.idle: is never used']);
  });

  it('names the file and the line of what is not HCL', async () => {
    await expect(parseSources({ 'broken.tf': 'resource "google_storage_bucket" "x" {' })).rejects.toThrow(
      'broken.tf',
    );
  });
});
