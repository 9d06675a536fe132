import { expect, it } from 'vitest';
import { brokerToken } from './google-token.ts';

it('wraps the access token in the three parts that the broker takes apart', () => {
  const account = 'worker@example.iam.gserviceaccount.com';
  const token = brokerToken(
    { token: 'ya29.secret', account, expiresAt: 1_800_003_600_000 },
    1_800_000_000_999,
  );

  expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  const [header, claims, access] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
  expect(JSON.parse(header!)).toEqual({ typ: 'JWT', alg: 'GOOG_OAUTH2_TOKEN' });
  expect(JSON.parse(claims!)).toEqual({
    exp: 1_800_003_600,
    iat: 1_800_000_000,
    iss: 'Google',
    sub: account,
  });
  expect(access).toBe('ya29.secret');
});
