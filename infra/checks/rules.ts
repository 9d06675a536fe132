/**
 * Rules of this system that a valid configuration could still break: who has access, where data is stored, what must be
 * kept and what must be deleted. Each rule returns its findings as sentences.
 */
import { KEPT_DAYS } from '../../shared/store/kept-days.ts';
import { addressOf, stringsIn, type Configuration, type Resource, type Value } from './hcl.ts';
import { blocks, isRef, ofType, references, unmet } from './look.ts';
import {
  dataIsNotReplaced,
  deploymentsKeepTheirRevisions,
  nothingIsUnused,
  startsInOrder,
  storesTakeTheKey,
  workerIsProbed,
} from './order-rules.ts';

const rules = {
  noPublicAccess,
  leastPrivilege,
  regionEverywhere,
  bucketsArePrivate,
  importBucketForgets,
  triggerRetries,
  databaseSurvives,
  workloadsHaveAnIdentity,
  accountNamesFit,
  noSecretValues,
  operatorsRunNoCode,
  readersOnlyRead,
  startsInOrder,
  deploymentsKeepTheirRevisions,
  workerIsProbed,
  storesTakeTheKey,
  dataIsNotReplaced,
  nothingIsUnused,
} satisfies Record<string, (configuration: Configuration) => string[]>;

export function breaches(configuration: Configuration): string[] {
  return Object.values(rules).flatMap((rule) => rule(configuration));
}

function noPublicAccess({ resources, variables, locals }: Configuration): string[] {
  const defaults = Object.entries(variables).map(
    ([name, body]) => [`variable ${name}`, body['default']] as const,
  );
  const scopes = [
    ...resources.map((one) => [addressOf(one), one.body] as const),
    ...defaults,
    ['locals', locals] as const,
  ];
  return scopes.flatMap(([where, body]) =>
    [...stringsIn(body)]
      .filter(([, text]) => /\ball(Authenticated)?Users\b/.test(text))
      .map(([path]) => `${where}: ${path.join('.')} gives access to the public`),
  );
}

function leastPrivilege(configuration: Configuration): string[] {
  return configuration.resources.flatMap((resource) => {
    const { role } = resource.body;
    const tooMuch = typeof role === 'string' && /^roles\/(owner|editor|viewer)$|admin$/i.test(role);
    return tooMuch ? [`${addressOf(resource)}: ${role} is more than any workload needs`] : [];
  });
}

/** Arguments that set the location of a resource. */
const placements = ['location', 'region', 'location_id'];

function regionEverywhere(configuration: Configuration): string[] {
  const elsewhere =
    /\b(?!europe-west3\b)(?:africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]+\d\b|^(?:EU|US|ASIA|eur3|nam5|global)$/;
  // A build has access to the code, but not to patient data.
  const inRegion = ({ type }: Resource, value: Value | undefined) =>
    isRef(value, 'var.region') ||
    isRef(value, 'upper(var.region)') ||
    (type === 'google_cloudbuild_trigger' && isRef(value, 'var.build_region'));
  const findings = configuration.resources.flatMap((resource) => {
    const misplaced = placements
      .filter((name) => name in resource.body && !inRegion(resource, resource.body[name]))
      .map((name) => `${addressOf(resource)}: ${name} must be var.region`);
    const literal = [...stringsIn(resource.body)]
      .filter(([, text]) => elsewhere.test(text))
      .map(([path, text]) => `${addressOf(resource)}: ${path.join('.')} names ${text}, not europe-west3`);
    return [...misplaced, ...literal];
  });
  const isFixed = configuration.variables['region']?.['default'] === 'europe-west3';
  return isFixed ? findings : [...findings, 'variable region: the default must be europe-west3'];
}

function bucketsArePrivate(configuration: Configuration): string[] {
  return ofType(configuration, 'google_storage_bucket').flatMap((bucket) =>
    unmet(bucket, [
      [bucket.body['uniform_bucket_level_access'] === true, 'needs uniform_bucket_level_access'],
      [bucket.body['public_access_prevention'] === 'enforced', 'public_access_prevention must be enforced'],
    ]),
  );
}

/** An erased object must really be gone, and files must expire as the privacy notice says. */
function importBucketForgets(configuration: Configuration): string[] {
  const bucket = ofType(configuration, 'google_storage_bucket').find(({ name }) => name === 'import');
  if (bucket === undefined) return ['there is no import bucket'];
  const { body } = bucket;
  const ages = new Map(
    blocks(body, 'lifecycle_rule').flatMap((rule) => {
      const condition = blocks(rule, 'condition')[0] ?? {};
      const prefixes = (condition['matches_prefix'] as string[] | undefined) ?? ['everything'];
      return prefixes.map((prefix) => [prefix, condition['age']] as const);
    }),
  );
  const unforeseen = [...ages.keys()].filter((prefix) => prefix !== 'processed/' && prefix !== 'failed/');
  return unmet(bucket, [
    [blocks(body, 'versioning')[0]?.['enabled'] === false, 'an erased file would live on as a version'],
    [
      blocks(body, 'soft_delete_policy')[0]?.['retention_duration_seconds'] === 0,
      'an erased file would live on in soft delete',
    ],
    [ages.get('processed/') === KEPT_DAYS.processedFiles, 'processed/ is kept as long as the code says'],
    [ages.get('failed/') === KEPT_DAYS.failedFiles, 'failed/ is kept as long as the code says'],
    [
      unforeseen.length === 0,
      `a lifecycle rule for ${unforeseen.join()} could delete what was never imported`,
    ],
  ]);
}

function triggerRetries(configuration: Configuration): string[] {
  if (ofType(configuration, 'google_eventarc_trigger').length !== 1)
    return ['there must be one Eventarc trigger'];
  const adopted = ofType(configuration, 'google_pubsub_subscription').find(({ body }) =>
    [...stringsIn(body['topic'])].some(([, text]) => text.includes('google_eventarc_trigger.')),
  );
  if (adopted === undefined)
    return ["the trigger's subscription is not configured: no retry, no dead-letter topic"];
  const say = (fault: string) => `${addressOf(adopted)}: ${fault}`;
  const { maximum_backoff: back } = blocks(adopted.body, 'retry_policy')[0] ?? {};
  const { dead_letter_topic: topic, max_delivery_attempts: attempts } =
    blocks(adopted.body, 'dead_letter_policy')[0] ?? {};
  const agentMay = (role: string) =>
    ofType(configuration, 'google_pubsub_topic_iam_member', 'google_pubsub_subscription_iam_member').some(
      ({ body }) => body['role'] === role && isRef(body['member'], 'local.service_agent["pubsub"]'),
    );
  return [
    ...(back === undefined ? [say('has no retry_policy')] : []),
    ...(topic === undefined ? [say('has no dead_letter_policy')] : []),
    ...(topic !== undefined && attempts !== 100 ? [say('gives up after fewer than 100 attempts')] : []),
    ...['roles/pubsub.publisher', 'roles/pubsub.subscriber']
      .filter((role) => !agentMay(role))
      .map((role) => say(`Pub/Sub's agent needs ${role}, or nothing reaches the dead-letter topic`)),
  ];
}

function databaseSurvives(configuration: Configuration): string[] {
  const databases = ofType(configuration, 'google_firestore_database');
  const backups = ofType(configuration, 'google_firestore_backup_schedule');
  const must = {
    point_in_time_recovery_enablement: 'POINT_IN_TIME_RECOVERY_ENABLED',
    delete_protection_state: 'DELETE_PROTECTION_ENABLED',
  };
  return [
    ...databases.flatMap((database) =>
      Object.entries(must)
        .filter(([argument, value]) => database.body[argument] !== value)
        .map(([argument, value]) => `${addressOf(database)}: ${argument} must be ${value}`),
    ),
    ...(backups.length === 0 ? ['the database has no backup schedule'] : []),
  ];
}

function workloadsHaveAnIdentity(configuration: Configuration): string[] {
  const workloads = [
    'google_cloud_run_v2_service',
    'google_cloud_run_v2_worker_pool',
    'google_cloud_run_v2_job',
  ];
  return ofType(configuration, ...workloads).flatMap((workload) => {
    const accounts = [...stringsIn(workload.body)].filter(([path]) => path.at(-1) === 'service_account');
    const own = accounts.some(([, text]) => text.includes('google_service_account.workload['));
    return own ? [] : [`${addressOf(workload)}: runs as the project's default service account`];
  });
}

/** The name of a service account has 6 to 30 characters (IAM). The provider's schema does not check it. */
function accountNamesFit(configuration: Configuration): string[] {
  return ofType(configuration, 'google_service_account').flatMap((account) => {
    const { account_id: id, for_each: each } = account.body;
    const names = isRef(id, 'each.key') ? Object.keys(each as object) : [id as string];
    return names
      .filter((name) => !/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(name))
      .map((name) => `${addressOf(account)}: ${name} is not a valid name for a service account`);
  });
}

function noSecretValues(configuration: Configuration): string[] {
  return ofType(configuration, 'google_secret_manager_secret_version').map(
    (version) => `${addressOf(version)}: the state would contain the value of a secret`,
  );
}

/** A role that may deploy, or override a command line or environment, lets its holder run code as the workload. */
function operatorsRunNoCode(configuration: Configuration): string[] {
  const grants = configuration.resources.filter(({ type }) => /_iam_(member|binding|policy)$/.test(type));
  return grants.flatMap((grant) => {
    const texts = references(grant.body);
    const isBuild = isRef(grant.body['member'], 'google_service_account.caller["deployment-build"].member');
    const runsCode = texts.filter((text) => /^roles\/run\.(?!invoker$|viewer$)/.test(text));
    return isBuild ? [] : runsCode.map((role) => `${addressOf(grant)}: ${role} lets its holder run code`);
  });
}

/** The roles that the account of the reading commands may have, besides access to its secrets. */
const readingRoles = new Set([
  'roles/datastore.viewer',
  'roles/managedkafka.client',
  '${google_project_iam_custom_role.file_lister.id}',
]);

function readersOnlyRead(configuration: Configuration): string[] {
  const roles = configuration.locals['firestore_roles'] as Record<string, string>;
  const grants = configuration.resources.filter(
    ({ type, body }) =>
      type.endsWith('_iam_member') && references(body).some((text) => /\bops-read\b/.test(text)),
  );
  const tooMuch = grants
    .filter(({ body }) => !readingRoles.has(references(body['role']).join()))
    .map((grant) => `${addressOf(grant)}: ops-read may only read`);
  const lister = ofType(configuration, 'google_project_iam_custom_role').find(
    ({ name }) => name === 'file_lister',
  );
  const everybody = configuration.resources
    .filter(({ type, body }) => type.endsWith('_iam_member') && isRef(body['for_each'], EVERY_WORKLOAD))
    .filter(({ body }) => body['role'] !== 'roles/iam.serviceAccountUser')
    .map((grant) => `${addressOf(grant)}: gives every workload ${references(grant.body['role']).join()}`);
  return [
    ...tooMuch,
    ...everybody,
    ...(roles['ops-read'] === 'roles/datastore.viewer' ? [] : ['ops-read may only read Firestore']),
    ...(references(lister?.body['permissions']).join() === 'storage.objects.list'
      ? []
      : ['ops-read may only list files']),
  ];
}

const EVERY_WORKLOAD = 'google_service_account.workload';
