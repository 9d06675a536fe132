/**
 * A token issuer for the local stack: an RS256 key that lives as long as its data folder, a JWKS over HTTP, and
 * a token for each role. Nothing of production trusts it.
 */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { exportJWK, exportPKCS8, generateKeyPair, importPKCS8, SignJWT, type CryptoKey } from 'jose';
import { createPublicKey } from 'node:crypto';
import { ROLES, type Role } from '../../shared/platform/auth.ts';
import { HOST } from './ports.ts';

export const AUDIENCE = 'patient-service';
const KEY_ID = 'local';

export interface Issuer {
  readonly url: string;
  readonly tokens: Record<Role, string>;
  close(): Promise<void>;
}

/** Starts the issuer with the key in `keyFile`, which is made when it is missing. */
export async function startIssuer(port: number, keyFile: string): Promise<Issuer> {
  const key = await keyIn(keyFile);
  const jwk = await exportJWK(createPublicKey(readFileSync(keyFile, 'utf8')));
  const app = new Hono().get('/jwks.json', (context) =>
    context.json({ keys: [{ ...jwk, kid: KEY_ID, alg: 'RS256', use: 'sig' }] }),
  );
  const server = serve({ hostname: HOST, port, fetch: app.fetch });
  await once(server, 'listening');
  const url = `http://${HOST}:${port}`;
  const tokens = await Promise.all(ROLES.map(async (role) => [role, await sign(key, url, role)] as const));
  return {
    url,
    tokens: Object.fromEntries(tokens) as Record<Role, string>,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

function sign(key: CryptoKey, issuer: string, role: Role): Promise<string> {
  return new SignJWT({ role, email: `${role}@example.org` })
    .setProtectedHeader({ alg: 'RS256', kid: KEY_ID })
    .setIssuer(issuer)
    .setAudience(AUDIENCE)
    .setSubject(`local-${role}`)
    .setIssuedAt()
    .setExpirationTime('30d')
    .sign(key);
}

async function keyIn(file: string): Promise<CryptoKey> {
  if (!existsSync(file)) {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, await exportPKCS8(privateKey), { mode: 0o600 });
  }
  return importPKCS8(readFileSync(file, 'utf8'), 'RS256');
}
