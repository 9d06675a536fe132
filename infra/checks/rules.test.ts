import { beforeAll, describe, expect, it } from 'vitest';
import { parseSources, readSources, type Sources } from './hcl.ts';
import { withMistake } from './mutation.ts';
import { breaches } from './rules.ts';

let sources: Sources;
beforeAll(async () => {
  sources = await readSources();
});

describe('the rules', () => {
  it('are met by infra/', async () => {
    expect(breaches(await parseSources(sources))).toEqual([]);
  });

  it.each([
    [
      'a public API',
      'identities.tf',
      'member   = google_service_account.caller["health-scheduler"].member',
      'member = "allUsers"',
      'gives access to the public',
    ],
    [
      'an uploader list that is public by default',
      'variables.tf',
      'incoming/. They can neither read nor list nor overwrite."\n  type        = list(string)\n  default     = []',
      '"\n  default = ["allAuthenticatedUsers"]',
      'gives access to the public',
    ],
    [
      'a bucket that may become public',
      'storage.tf',
      '"enforced"',
      '"inherited"',
      'public_access_prevention must be enforced',
    ],
    [
      'object ACLs',
      'storage.tf',
      'uniform_bucket_level_access = true',
      'uniform_bucket_level_access = false',
      'needs uniform_bucket_level_access',
    ],
    ['versions in the bucket', 'storage.tf', 'enabled = false', 'enabled = true', 'live on as a version'],
    [
      'soft delete in the bucket',
      'storage.tf',
      'retention_duration_seconds = 0',
      'retention_duration_seconds = 604800',
      'live on in soft delete',
    ],
    [
      'a lifecycle rule that deletes unimported files',
      'storage.tf',
      'matches_prefix = ["processed/"]',
      'matches_prefix = ["incoming/"]',
      'never imported',
    ],
    [
      'another region by name',
      'network.tf',
      'region                   = var.region',
      'region = "us-central1"',
      'region must be var.region',
    ],
    [
      'another default region',
      'variables.tf',
      'default     = "europe-west3"',
      'default = "europe-west1"',
      'the default must be europe-west3',
    ],
    [
      'a secret replicated to another region',
      'secrets.tf',
      'location = var.region',
      'location = "us-east1"',
      'names us-east1',
    ],
    [
      'a trigger without dead letters',
      'trigger.tf',
      'max_delivery_attempts = 100\n',
      '',
      'fewer than 100 attempts',
    ],
    [
      'a trigger without a back-off',
      'trigger.tf',
      '  retry_policy {\n    minimum_backoff = "10s"\n    maximum_backoff = "600s"\n  }\n',
      '',
      'has no retry_policy',
    ],
    [
      'dead letters that the agent may not write',
      'trigger.tf',
      'role   = "roles/pubsub.publisher"\n  member = local.service_agent',
      'role   = "roles/pubsub.viewer"\n  member = local.service_agent',
      'needs roles/pubsub.publisher',
    ],
    [
      'a database without recovery',
      'firestore.tf',
      'RECOVERY_ENABLED',
      'RECOVERY_DISABLED',
      'point_in_time_recovery_enablement',
    ],
    [
      'an administrator',
      'identities.tf',
      'role    = "roles/managedkafka.client"',
      'role    = "roles/managedkafka.admin"',
      'more than any workload needs',
    ],
    [
      'a workload on the default account',
      'functions.tf',
      '    service_account                  = google_service_account.workload[each.key].email\n',
      '',
      'default service account',
    ],
    [
      'an account with too short a name',
      'identities.tf',
      'ops-read            = "Runs',
      'ops = "Runs',
      'ops is not a valid name for a service account',
    ],
    [
      'operators who may override a command line',
      'ops.tf',
      'role     = "roles/run.invoker"',
      'role     = "roles/run.jobsExecutorWithOverrides"',
      'roles/run.jobsExecutorWithOverrides lets its holder run code',
    ],
    [
      'operators who may deploy',
      'identities.tf',
      'role    = "roles/run.viewer"',
      'role    = "roles/run.developer"',
      'roles/run.developer lets its holder run code',
    ],
    [
      'reading commands that could write Firestore',
      'identities.tf',
      'ops-read            = "roles/datastore.viewer"',
      'ops-read            = "roles/datastore.user"',
      'ops-read may only read Firestore',
    ],
    [
      'reading commands that could read files',
      'ops.tf',
      'permissions = ["storage.objects.list"]',
      'permissions = ["storage.objects.list", "storage.objects.get"]',
      'ops-read may only list files',
    ],
    [
      'reading commands that could write files',
      'ops.tf',
      'role   = google_project_iam_custom_role.file_lister.id',
      'role   = "roles/storage.objectUser"',
      'google_storage_bucket_iam_member.ops_lists: ops-read may only read',
    ],
    [
      'services that start before their secret has a version',
      'functions.tf',
      '    data.google_secret_manager_secret_version.first,\n',
      '',
      'must wait for data.google_secret_manager_secret_version.first',
    ],
    [
      'a trigger that does not wait for the service agents',
      'trigger.tf',
      '    terraform_data.foundation,\n',
      '',
      'google_eventarc_trigger.registration: must wait for terraform_data.foundation',
    ],
    [
      'a first stage without the service agents',
      'foundation.tf',
      '    google_project_iam_member.service_agent,\n',
      '',
      'must wait for google_project_iam_member.service_agent',
    ],
    [
      'a revision name that Terraform would send twice',
      'functions.tf',
      'template[0].labels, traffic]',
      'template[0].revision, traffic]',
      'must not ignore template[0].revision',
    ],
    [
      'the nonce of gcloud at the worker',
      'worker.tf',
      '      template[0].labels,\n',
      '',
      'google_cloud_run_v2_worker_pool.kafka_worker: must ignore template[0].labels',
    ],
    [
      'a worker without a probe of /livez',
      'worker.tf',
      '      liveness_probe {',
      '      liveness {',
      'liveness_probe must ask /livez',
    ],
    [
      'a build in another region',
      'build.tf',
      'location        = var.build_region',
      'location = "us-central1"',
      'location must be var.region',
    ],
    [
      'a store that ignores the customer’s key',
      'kafka.tf',
      '    kms_key = var.kms_key\n',
      '',
      'google_managed_kafka_cluster.events: ignores kms_key',
    ],
    [
      'a store that does not wait until its agent may use the key',
      'secrets.tf',
      ', google_kms_crypto_key_iam_member.user]',
      ']',
      'google_secret_manager_secret.secret: must wait for google_kms_crypto_key_iam_member.user',
    ],
    [
      'a database that a changed argument would replace',
      'firestore.tf',
      'prevent_destroy = true',
      'prevent_destroy = false',
      'google_firestore_database.patients: needs prevent_destroy',
    ],
    [
      'a variable that nothing uses',
      'variables.tf',
      'variable "log_level" {',
      'variable "log_depth" {',
      'var.log_depth: is never used',
    ],
  ])('turn red for %s', async (_, file, before, after, finding) => {
    expect(breaches(await withMistake(sources, file, before, after)).join('\n')).toContain(finding);
  });

  it('turn red for a secret with its value', async () => {
    const leaked = {
      ...sources,
      'leak.tf': 'resource "google_secret_manager_secret_version" "key" {\n  secret_data = "x"\n}\n',
    };
    expect(breaches(await parseSources(leaked)).join('\n')).toContain(
      'the state would contain the value of a secret',
    );
  });
});
