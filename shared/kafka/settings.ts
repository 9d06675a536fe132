/**
 * How to reach Kafka: the environment variables, and the rules that concern several of them.
 */
import type { Config } from '../platform/config.ts';
import { ServiceError } from '../platform/errors.ts';
import type { VariableName } from '../platform/variables.ts';

/** The variables that a deployable reads to reach Kafka. */
export const kafkaVariables = [
  'KAFKA_BOOTSTRAP_SERVERS',
  'KAFKA_LOG_LEVEL',
  'KAFKA_TOPIC_PREFIX',
  'KAFKA_GROUP_PREFIX',
  'KAFKA_SECURITY_PROTOCOL',
  'KAFKA_SASL_MECHANISM',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
  'KAFKA_SSL_CA',
] as const satisfies readonly VariableName[];

/** Their values, read and checked one by one. */
export type KafkaConfig = Config<(typeof kafkaVariables)[number]>;

/** How a connection is secured. `ca` is a PEM certificate; without it the system's certificate authorities are used. */
export type Security =
  | { readonly protocol: 'PLAINTEXT' }
  | { readonly protocol: 'SASL_SSL'; readonly ca?: string; readonly credentials: Credentials };

/** How the client proves who it is. */
export type Credentials =
  | { readonly mechanism: 'OAUTHBEARER' }
  | { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-512'; readonly username: string; readonly password: string };

/**
 * The security of the connection.
 * @throws ServiceError `config.invalid` that lists every contradiction, never a value
 */
export function securityOf(config: KafkaConfig): Security {
  const secure = config.KAFKA_SECURITY_PROTOCOL === 'SASL_SSL';
  const mechanism = config.KAFKA_SASL_MECHANISM;
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password, KAFKA_SSL_CA: ca } = config;
  const withPassword = secure && mechanism !== 'OAUTHBEARER';
  const faults = Object.entries({ KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password }).flatMap(
    ([name, value]) => {
      if (withPassword && value === undefined) return [`${name} is not set, but ${mechanism} needs it`];
      if (!withPassword && value !== undefined) {
        return [`${name} is set, but ${secure ? mechanism : 'PLAINTEXT'} does not use it`];
      }
      return [];
    },
  );
  if (!secure && ca !== undefined) faults.push('KAFKA_SSL_CA is set, but PLAINTEXT does not use it');
  if (faults.length > 0) {
    throw new ServiceError('config.invalid', {
      detail: `Invalid environment: ${faults.sort().join('; ')}.`,
    });
  }
  if (!secure) return { protocol: 'PLAINTEXT' };
  const credentials: Credentials =
    mechanism === 'OAUTHBEARER'
      ? { mechanism }
      : { mechanism, username: username ?? '', password: password ?? '' };
  return { protocol: 'SASL_SSL', credentials, ...(ca === undefined ? {} : { ca }) };
}
