/**
 * Tokens for SASL/OAUTHBEARER at Managed Service for Apache Kafka: the Google access token of the service
 * account, wrapped like a JWT that the broker parses
 * (https://cloud.google.com/managed-service-for-apache-kafka/docs/authentication-kafka).
 */

/** A Google access token with the account that it speaks for. */
export interface AccessToken {
  readonly token: string;
  readonly account: string;
  /** When it expires, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** The token as the broker expects it: header, claims and the access token, each in base64url. */
export function brokerToken({ token, account, expiresAt }: AccessToken, now: number): string {
  const header = { typ: 'JWT', alg: 'GOOG_OAUTH2_TOKEN' };
  const claims = {
    exp: Math.floor(expiresAt / 1000),
    iat: Math.floor(now / 1000),
    iss: 'Google',
    sub: account,
  };
  return [JSON.stringify(header), JSON.stringify(claims), token]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
}

/**
 * Fetches tokens of the process's Google identity. The client library caches the access token and renews
 * it before it expires.
 */
export function googleTokens(): () => Promise<string> {
  let identity: ReturnType<typeof findIdentity> | undefined;
  return async () => {
    identity ??= findIdentity();
    try {
      const { client, account } = await identity;
      const { token } = await client.getAccessToken();
      const expiresAt = client.credentials.expiry_date ?? Date.now() + 3_600_000;
      return brokerToken({ token: token ?? '', account, expiresAt }, Date.now());
    } catch (error) {
      // The metadata server may only be slow: the next connection asks for the identity again.
      identity = undefined;
      throw error;
    }
  };
}

async function findIdentity() {
  // Imported on first use, so that connections with plaintext or a password do not load the library.
  const { GoogleAuth } = await import('google-auth-library');
  const auth = new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' });
  const [client, credentials] = await Promise.all([auth.getClient(), auth.getCredentials()]);
  return { client, account: credentials.client_email ?? '' };
}
