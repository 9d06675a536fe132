/**
 * Rules about order: what a first apply must create first, what a deployment changes outside of Terraform, and what can
 * never be changed later.
 */
import { addressOf, stringsIn, type Configuration, type Resource } from './hcl.ts';
import { blocks, ofType, references, unmet } from './look.ts';

const dependsOn = ({ body }: Resource, address: string) =>
  references(body['depends_on']).includes(`\${${address}}`);

/** The order of a first apply: a service waits for what it needs to start, a trigger for its service agents. */
export function startsInOrder(configuration: Configuration): string[] {
  const needs: Record<string, string[]> = {
    google_cloud_run_v2_service: ['terraform_data.foundation', FIRST_VERSION],
    google_cloud_run_v2_worker_pool: ['terraform_data.foundation', FIRST_VERSION],
    google_eventarc_trigger: ['terraform_data.foundation'],
    terraform_data: [
      'google_project_iam_member.service_agent',
      'google_secret_manager_secret_iam_member.reader',
    ],
  };
  return ofType(configuration, ...Object.keys(needs)).flatMap((resource) =>
    (needs[resource.type] ?? [])
      .filter((address) => !dependsOn(resource, address))
      .map((address) => `${addressOf(resource)}: must wait for ${address}`),
  );
}

const FIRST_VERSION = 'data.google_secret_manager_secret_version.first';

/**
 * A deployment changes the image and the labels of a template, so Terraform must ignore them. It must not ignore the name
 * of the revision: it would send the old name with a new template, which Cloud Run refuses.
 */
export function deploymentsKeepTheirRevisions(configuration: Configuration): string[] {
  return ofType(configuration, 'google_cloud_run_v2_service', 'google_cloud_run_v2_worker_pool').flatMap(
    (resource) => {
      const ignored = new Set(references(blocks(resource.body, 'lifecycle')[0]?.['ignore_changes']));
      const has = (argument: string) => ignored.has(`\${${argument}}`);
      return unmet(resource, [
        [has('template[0].labels'), 'must ignore template[0].labels, where gcloud leaves a nonce'],
        [has('client') && has('client_version'), 'must ignore client and client_version'],
        [has('template[0].containers[0].image'), 'must ignore the image, which a deployment brings'],
        [!has('template[0].revision'), 'must not ignore template[0].revision'],
      ]);
    },
  );
}

export function workerIsProbed(configuration: Configuration): string[] {
  return ofType(configuration, 'google_cloud_run_v2_worker_pool').flatMap((pool) => {
    const container = blocks(blocks(pool.body, 'template')[0] ?? {}, 'containers')[0] ?? {};
    const path = (probe: string) =>
      blocks(blocks(container, probe)[0] ?? {}, 'http_get')[0]?.['path'] ?? 'nothing';
    return unmet(
      pool,
      ['startup_probe', 'liveness_probe'].map((probe) => [
        path(probe) === '/livez',
        `${probe} must ask /livez`,
      ]),
    );
  });
}

export function nothingIsUnused({ resources, variables, locals, rest }: Configuration): string[] {
  const text = [...resources.map(({ body }) => body), locals, ...rest]
    .flatMap((body) => [...stringsIn(body)].map(([, value]) => value))
    .join('\n');
  const unused = (prefix: string, names: string[]) =>
    names
      .filter((name) => !new RegExp(`\\b${prefix}\\.${name}\\b`).test(text))
      .map((name) => `${prefix}.${name}: is never used`);
  return [...unused('var', Object.keys(variables)), ...unused('local', Object.keys(locals))];
}

/** Buckets that hold code and releases, but no patient data. */
const codeOnly = new Set(['build_source', 'releases']);

/** Every store uses the customer's key if one is configured, and waits until its agent may use the key. */
export function storesTakeTheKey(configuration: Configuration): string[] {
  const stores = [
    'google_artifact_registry_repository',
    'google_firestore_database',
    'google_logging_project_bucket_config',
    'google_managed_kafka_cluster',
    'google_pubsub_topic',
    'google_secret_manager_secret',
    'google_storage_bucket',
  ];
  return ofType(configuration, ...stores)
    .filter(({ name }) => !codeOnly.has(name))
    .flatMap((store) => {
      const texts = references(store.body);
      const takesIt = texts.includes('${var.kms_key}') || texts.includes('${local.kms_keys}');
      return unmet(store, [
        [takesIt, 'ignores kms_key'],
        [dependsOn(store, KEY_USERS), `must wait for ${KEY_USERS}`],
      ]);
    });
}

const KEY_USERS = 'google_kms_crypto_key_iam_member.user';

/** A changed argument must not replace a resource that holds patient data. */
export function dataIsNotReplaced(configuration: Configuration): string[] {
  const holders = ['google_firestore_database', 'google_managed_kafka_cluster', 'google_storage_bucket'];
  return ofType(configuration, ...holders)
    .filter(({ name }) => !codeOnly.has(name))
    .filter(({ body }) => blocks(body, 'lifecycle')[0]?.['prevent_destroy'] !== true)
    .map((holder) => `${addressOf(holder)}: needs prevent_destroy`);
}
