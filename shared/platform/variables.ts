/**
 * The environment variables of the service, each with its rule, default and meaning. The table of docs/configuration.md
 * and the checks of the infrastructure code are generated from this list.
 */
import { isValidBIC, isValidIBAN } from 'ibantools';
import { z } from 'zod';

/** The shortest retention that can be configured. */
const MIN_RETENTION_DAYS = 30;

const text = z.string().min(1);
const seconds = z.coerce.number().int().positive();
/** An export tells the person how long their data is kept. Terraform sets these to the retention it configures. */
const days = z.coerce.number().int().positive();
const euros = z.string().regex(/^\d{1,6}\.\d{2}$/, 'must be an amount like 95.00');
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
/** Strict because it erases people: only plain digits are accepted, and a typing error such as `3` is refused. */
const retentionDays = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a number of days')
  .transform(Number)
  .refine((days) => days >= MIN_RETENTION_DAYS, `must be at least ${MIN_RETENTION_DAYS} days`)
  .optional();
const httpUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''));

/** The schema of each variable; its description is the meaning. */
export const variables = {
  GOOGLE_CLOUD_PROJECT: text.describe('Google Cloud project that holds Firestore and the bucket'),
  ENVIRONMENT: text
    .default('local')
    .describe('Name of this environment; a signed registration file must name it'),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least severity that is logged'),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(8080)
    .describe('Port on which the worker answers its probes'),
  FIRESTORE_EMULATOR_HOST: text.optional().describe('`host:port` of a Firestore emulator'),
  STORAGE_EMULATOR_HOST: httpUrl.optional().describe('URL of a Cloud Storage emulator'),

  GCS_IMPORT_BUCKET: text.describe('Bucket into which registration files are dropped, below `incoming/`'),
  REGISTRATION_HMAC_KEY: text
    // RFC 2104, 3: a key shorter than the hash weakens it.
    .refine((key) => Buffer.byteLength(key) >= 32, 'must have at least 32 bytes')
    .optional()
    .describe('Key of signed registration files, at least 32 bytes; unset: files must be unsigned'),
  PATIENT_IMPORT_LOCAL_PATH: text
    .optional()
    .describe('Local stack: folder whose files are uploaded to `incoming/`'),
  LOCAL_PAGE_URL: httpUrl
    .refine((url) => url.startsWith('http://127.0.0.1:'), 'must be on this machine')
    .optional()
    .describe('Local stack: the page whose `/docs`, with tokens filled in, replaces that of the API'),
  PATIENT_IMPORT_CHECK_INTERVAL_SECONDS: seconds
    .default(60)
    .describe('How often `incoming/` is swept for missed files'),
  IMPORT_STUCK_AFTER_SECONDS: seconds
    .default(900)
    .describe('Age of a file in `incoming/` at which the import is unhealthy'),
  IMPORT_STORAGE_QUOTA_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(10 * 1024 ** 3)
    .describe('Size of the bucket against which its fill is judged'),
  RETENTION_UNPAID_DAYS: retentionDays.describe(
    'Days without contact after which a registration that never paid is erased, at least 30; unset: never',
  ),
  RETENTION_CLOSED_DAYS: retentionDays.describe(
    'Days after which a patient whose case is closed is erased, at least 30; unset: never',
  ),

  KAFKA_RETENTION_DAYS: days.default(7).describe('Days that Kafka keeps an event, as an export says'),
  LOG_RETENTION_DAYS: days.default(30).describe("Days that the service's logs are kept, as an export says"),
  AUDIT_RETENTION_DAYS: days
    .default(365)
    .describe('Days that the Data Access audit logs are kept, as an export says'),
  AUDIT_TRAIL_RETENTION_DAYS: days
    .default(1095)
    .describe('Days that the audit trail is kept, as an export says'),

  PAYMENT_ACCOUNT_HOLDER: text.describe('Account holder in the confirmation mail'),
  PAYMENT_IBAN: z
    .string()
    .transform((value) => value.replaceAll(' ', '').toUpperCase())
    .refine((value) => isValidIBAN(value), 'must be an IBAN with a valid checksum')
    .describe('IBAN in the confirmation mail'),
  PAYMENT_BIC: z
    .string()
    .refine((value) => isValidBIC(value), 'must be a BIC of 8 or 11 characters')
    .describe('BIC in the confirmation mail'),
  PRICE_INDIVIDUAL_EUR: euros
    .default('95.00')
    .describe('Price of the search for an individual therapy, in euros'),
  PRICE_GROUP_EUR: euros
    .default('45.00')
    .describe('Price for a patient who is open to group therapy, in euros'),
  MAIL_SENDER_ADDRESS: z.email().describe('Sender of the mails'),
  MAIL_SENDER_NAME: text.describe('Name of the sender of the mails'),
  CONTRACT_URL: httpUrl.describe('Link to the contract in the confirmation mail'),
  CONTACT_ADDRESS: z.email().describe('Address for questions in the confirmation mail'),
  COMMUNICATION_SERVICE_URL: httpUrl.describe('Base URL of the communication service, which sends the mails'),

  KAFKA_BOOTSTRAP_SERVERS: list
    .refine((brokers) => brokers.length > 0, 'must name at least one broker')
    .describe('Kafka brokers `host:port`, separated by commas'),
  KAFKA_LOG_LEVEL: z
    .enum(['nothing', 'error', 'warn', 'info', 'debug'])
    .default('warn')
    .describe('Least severity that the Kafka client logs'),
  KAFKA_TOPIC_PREFIX: z
    .string()
    .regex(/^[\w.-]*$/)
    .default('')
    .describe('Put before each topic name, so that environments share a cluster'),
  KAFKA_GROUP_PREFIX: z
    .string()
    .regex(/^[\w.-]*$/)
    .default('')
    .describe('Put before each consumer group name'),
  KAFKA_SECURITY_PROTOCOL: z
    .enum(['PLAINTEXT', 'SASL_SSL'])
    .default('PLAINTEXT')
    .describe('How to connect to Kafka'),
  KAFKA_SASL_MECHANISM: z
    .enum(['PLAIN', 'SCRAM-SHA-512', 'OAUTHBEARER'])
    .default('OAUTHBEARER')
    .describe('With SASL_SSL: the mechanism; OAUTHBEARER uses tokens of the Google service account'),
  KAFKA_SASL_USERNAME: text.optional().describe('User for PLAIN and SCRAM-SHA-512'),
  KAFKA_SASL_PASSWORD: text.optional().describe('Password for PLAIN and SCRAM-SHA-512'),
  KAFKA_SSL_CA: text.optional().describe('PEM of the certificate authority, where it is not a public one'),

  AUTH_ISSUER: httpUrl.optional().describe('Issuer of the bearer tokens'),
  AUTH_AUDIENCE: text.optional().describe('Audience that a bearer token must name'),
  AUTH_JWKS_URL: httpUrl
    .default('https://www.googleapis.com/oauth2/v3/certs')
    .describe('Where the keys of the issuer are'),
  AUTH_ROLE_CLAIM: text.optional().describe('Claim that holds the role: reader, staff or admin'),
  AUTH_READERS: list.default([]).describe('Mail addresses with the role reader'),
  AUTH_STAFF: list.default([]).describe('Mail addresses with the role staff'),
  AUTH_ADMINS: list.default([]).describe('Mail addresses with the role admin'),
  AUTH_TRUSTED_BACKENDS: list
    .default([])
    .describe(
      'Token subjects or mail addresses of the backends that may name, in `X-Actor`, the person they call for',
    ),
  AUTH_REQUIRE_ACTOR: z
    .enum(['true', 'false'])
    .default('false')
    .transform((value) => value === 'true')
    .describe('`true`: a trusted backend must name that person in each call'),
  CORS_ORIGINS: list.default([]).describe('Origins of browsers that may call the API; none: CORS is off'),
} as const satisfies Record<string, z.ZodType>;

/** Name of an environment variable of the service. */
export type VariableName = keyof typeof variables;
