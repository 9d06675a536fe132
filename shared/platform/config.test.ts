import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

const noSecrets = async () => Promise.reject(new Error('no secrets here'));

describe('the configuration', () => {
  it('fills in defaults and leaves optional variables unset', async () => {
    const config = await readConfig(['ENVIRONMENT', 'PORT', 'PRICE_GROUP_EUR'], {}, noSecrets);
    expect(config).toEqual({ ENVIRONMENT: 'local', PORT: 8080, PRICE_GROUP_EUR: '45.00' });
  });

  it('reports every fault in one message and no value', async () => {
    const environment = {
      PAYMENT_IBAN: 'DE00370400440532013000',
      PAYMENT_BIC: 'X',
      PRICE_GROUP_EUR: '45',
      GOOGLE_CLOUD_PROJECT: '',
    };
    const names = [
      'PAYMENT_IBAN',
      'PAYMENT_BIC',
      'PRICE_GROUP_EUR',
      'GOOGLE_CLOUD_PROJECT',
      'GCS_IMPORT_BUCKET',
    ] as const;
    const error = await readConfig(names, environment, noSecrets).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'config.invalid',
      message:
        'Invalid environment: GCS_IMPORT_BUCKET is not set; GOOGLE_CLOUD_PROJECT is not set; ' +
        'PAYMENT_BIC must be a BIC of 8 or 11 characters; PAYMENT_IBAN must be an IBAN with a valid checksum; ' +
        'PRICE_GROUP_EUR must be an amount like 95.00.',
    });
  });

  it.each([
    ['sm://a-project/a-secret', 'projects/a-project/secrets/a-secret/versions/latest'],
    ['sm://a-project/a-secret/7', 'projects/a-project/secrets/a-secret/versions/7'],
  ])('reads %s from Secret Manager', async (reference, version) => {
    const asked: string[] = [];
    const reader = async (name: string) => {
      asked.push(name);
      return 'the key of thirty-two characters';
    };
    const config = await readConfig(['REGISTRATION_HMAC_KEY'], { REGISTRATION_HMAC_KEY: reference }, reader);
    expect(config.REGISTRATION_HMAC_KEY).toBe('the key of thirty-two characters');
    expect(asked).toEqual([version]);
  });

  it('refuses a key that is shorter than its hash', async () => {
    for (const key of ['x'.repeat(31), 'the key']) {
      await expect(readConfig(['REGISTRATION_HMAC_KEY'], { REGISTRATION_HMAC_KEY: key })).rejects.toThrow(
        'REGISTRATION_HMAC_KEY must have at least 32 bytes',
      );
    }
    expect(await readConfig(['REGISTRATION_HMAC_KEY'], { REGISTRATION_HMAC_KEY: 'ä'.repeat(16) })).toEqual({
      REGISTRATION_HMAC_KEY: 'ä'.repeat(16),
    });
  });

  it.each(['0', '-1', '29', '1.5', '3e2', '0x40', ' 60', 'sixty', '999999'])(
    'refuses to erase anybody after %j days',
    async (days) => {
      const read = readConfig(['RETENTION_UNPAID_DAYS'], { RETENTION_UNPAID_DAYS: days }, noSecrets);
      await expect(read).rejects.toMatchObject({
        code: 'config.invalid',
        message: expect.stringMatching(/RETENTION_UNPAID_DAYS must be (a number of|at least 30) days/),
      });
    },
  );

  it('reads an unset retention as never, and a set one as days', async () => {
    const names = ['RETENTION_UNPAID_DAYS', 'RETENTION_CLOSED_DAYS'] as const;
    const environment = { RETENTION_UNPAID_DAYS: '', RETENTION_CLOSED_DAYS: '30' };
    expect(await readConfig(names, environment, noSecrets)).toEqual({
      RETENTION_UNPAID_DAYS: undefined,
      RETENTION_CLOSED_DAYS: 30,
    });
  });

  it('says which secret cannot be read', async () => {
    const environment = { REGISTRATION_HMAC_KEY: 'sm://a-project/a-secret' };
    await expect(readConfig(['REGISTRATION_HMAC_KEY'], environment, noSecrets)).rejects.toThrow(
      /REGISTRATION_HMAC_KEY/,
    );
  });

  it('accepts an IBAN with spaces', async () => {
    const config = await readConfig(
      ['PAYMENT_IBAN'],
      { PAYMENT_IBAN: 'de89 3704 0044 0532 0130 00' },
      noSecrets,
    );
    expect(config.PAYMENT_IBAN).toBe('DE89370400440532013000');
  });
});
