/**
 * A token issuer for the local stack and the tests: an RS256 key, a JWKS over HTTP, and tokens with any claims.
 * Production does not trust it.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { exportJWK, importPKCS8, SignJWT } from 'jose';
import { ROLES, type Role } from '../../shared/platform/auth.ts';
import { HOST } from './ports.ts';

export const AUDIENCE = 'patient-service';
/** The `kid` of its only key. */
export const KEY_ID = 'local';

export interface Issuer {
  readonly url: string;
  /** URL of its key set (JWKS). */
  readonly jwksUrl: string;
  readonly publicKey: KeyObject;
  /** Signs claims together with an issuer and an audience that the API trusts. Claims of undefined are left out. */
  readonly sign: (claims: Readonly<Record<string, unknown>>, expires?: string) => Promise<string>;
  /** A token for each role. */
  readonly tokens: Readonly<Record<Role, string>>;
  close(): Promise<void>;
}

export const jwksUrlOf = (issuerUrl: string) => `${issuerUrl}/jwks.json`;

/**
 * Starts an issuer. It does not keep its process alive.
 * @param port 0 for a free one
 * @param keyFile holds the key in PEM and is created when it is missing; undefined: the key lives as long as the process
 */
export async function startIssuer(port: number, keyFile?: string): Promise<Issuer> {
  const pem = keyFile === undefined ? newKey() : keyIn(keyFile);
  const privateKey = await importPKCS8(pem, 'RS256');
  const publicKey = createPublicKey(pem);
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'RS256', use: 'sig' }] };
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(keys));
  });
  server.listen(port, HOST).unref();
  await once(server, 'listening');
  const url = `http://${HOST}:${(server.address() as AddressInfo).port}`;
  const sign: Issuer['sign'] = (claims, expires = '1h') => {
    const token = new SignJWT({ iss: url, aud: AUDIENCE, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: KEY_ID })
      .setIssuedAt();
    return ('exp' in claims ? token : token.setExpirationTime(expires)).sign(privateKey);
  };
  const tokens = await Promise.all(
    ROLES.map(async (role) => {
      const claims = { role, email: `${role}@example.org`, sub: `local-${role}` };
      return [role, await sign(claims, '30d')] as const;
    }),
  );
  return {
    url,
    jwksUrl: jwksUrlOf(url),
    publicKey,
    sign,
    tokens: Object.fromEntries(tokens) as Record<Role, string>,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function keyIn(file: string): string {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, newKey(), { mode: 0o600 });
  }
  return readFileSync(file, 'utf8');
}
