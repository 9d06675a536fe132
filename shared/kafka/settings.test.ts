import { describe, expect, it } from 'vitest';
import { readConfig } from '../platform/config.ts';
import { kafkaVariables, securityOf } from './settings.ts';

async function security(environment: Record<string, string>) {
  return securityOf(await readConfig(kafkaVariables, { KAFKA_BOOTSTRAP_SERVERS: 'k:9092', ...environment }));
}

describe('the security of the connection', () => {
  it('is plaintext when nothing is said', async () => {
    expect(await security({})).toEqual({ protocol: 'PLAINTEXT' });
  });

  it('uses Google tokens over TLS when no mechanism is named', async () => {
    expect(await security({ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL' })).toEqual({
      protocol: 'SASL_SSL',
      credentials: { mechanism: 'OAUTHBEARER' },
    });
  });

  it('takes user, password and authority for SCRAM', async () => {
    const environment = {
      KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: 'user',
      KAFKA_SASL_PASSWORD: 'pass',
      KAFKA_SSL_CA: 'pem',
    };
    expect(await security(environment)).toEqual({
      protocol: 'SASL_SSL',
      ca: 'pem',
      credentials: { mechanism: 'SCRAM-SHA-512', username: 'user', password: 'pass' },
    });
  });

  it('names every missing credential at once', async () => {
    const environment = { KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SASL_MECHANISM: 'PLAIN' };
    await expect(security(environment)).rejects.toMatchObject({
      code: 'config.invalid',
      message:
        'Invalid environment: KAFKA_SASL_PASSWORD is not set, but PLAIN needs it; KAFKA_SASL_USERNAME is not set, but PLAIN needs it.',
    });
  });

  it('refuses credentials that would be sent nowhere, and does not repeat them', async () => {
    const failure = security({ KAFKA_SASL_PASSWORD: 'hunter2', KAFKA_SSL_CA: 'pem' });
    await expect(failure).rejects.toThrow(/KAFKA_SASL_PASSWORD is set.*KAFKA_SSL_CA is set/);
    await expect(failure).rejects.not.toThrow(/hunter2/);
  });
});
