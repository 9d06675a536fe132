/**
 * Authenticates callers: turns a bearer token of the configured issuer (RFC 6750, RFC 7519) into a caller with a role.
 * Each route decides which role it requires.
 */
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Config } from './config.ts';
import { ServiceError } from './errors.ts';
import { rememberVerified } from './verified-tokens.ts';

/** The roles from weakest to strongest. Each includes the rights of those before it. */
export const ROLES = ['reader', 'staff', 'admin'] as const;
/** A caller's role. */
export type Role = (typeof ROLES)[number];

/** The sender of a request, as the token identifies it. */
export interface Caller {
  /** The token's subject: an id, not a name. */
  readonly subject: string;
  /** Undefined when the token is valid but grants no role. */
  readonly role: Role | undefined;
  /** Whether the caller may, or must, name in `X-Actor` the person that it calls for. */
  readonly onBehalf: 'refused' | 'accepted' | 'required';
}

/**
 * Identifies the caller by the `Authorization` header.
 * @throws ServiceError `auth.unauthenticated` without a valid token; `auth.keys_unavailable` when the issuer's keys
 * cannot be fetched
 */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

/** The variables that {@link createAuthentication} needs. */
export const authVariables = [
  'AUTH_ISSUER',
  'AUTH_AUDIENCE',
  'AUTH_JWKS_URL',
  'AUTH_ROLE_CLAIM',
  'AUTH_READERS',
  'AUTH_STAFF',
  'AUTH_ADMINS',
  'AUTH_TRUSTED_BACKENDS',
  'AUTH_REQUIRE_ACTOR',
  'FIRESTORE_EMULATOR_HOST',
] as const;
/** The parsed {@link authVariables}. */
export type AuthConfig = Config<(typeof authVariables)[number]>;

/**
 * Asymmetric algorithms only. With a shared-secret algorithm, a caller could sign with the public key; `none` is no
 * signature at all.
 */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/**
 * Creates the check of bearer tokens. Against an emulator, without its variables, it refuses every caller.
 * @throws ServiceError `config.invalid` when the issuer, the audience or every source of roles is missing
 */
export function createAuthentication(config: AuthConfig): Authenticate {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = config;
  const rolesKnown =
    config.AUTH_ROLE_CLAIM !== undefined ||
    [config.AUTH_READERS, config.AUTH_STAFF, config.AUTH_ADMINS].some((list) => list.length > 0);
  if (issuer === undefined || audience === undefined || !rolesKnown) {
    if (config.FIRESTORE_EMULATOR_HOST !== undefined) return () => Promise.reject(unauthenticated());
    throw new ServiceError('config.invalid', {
      detail:
        'AUTH_ISSUER, AUTH_AUDIENCE and one of AUTH_ROLE_CLAIM, AUTH_READERS, AUTH_STAFF and AUTH_ADMINS must be set.',
    });
  }
  if (config.AUTH_REQUIRE_ACTOR && config.AUTH_TRUSTED_BACKENDS.length === 0) {
    throw new ServiceError('config.invalid', {
      detail: 'AUTH_REQUIRE_ACTOR needs AUTH_TRUSTED_BACKENDS: nobody else may name an actor.',
    });
  }

  const keys = createRemoteJWKSet(new URL(config.AUTH_JWKS_URL));
  const expected = {
    // Parsing the variable removes a final slash, but the names of some issuers end in one.
    issuer: [issuer, `${issuer}/`],
    audience,
    algorithms: ALGORITHMS,
    requiredClaims: ['exp', 'sub'],
    clockTolerance: 5,
  };
  const payloadOf = rememberVerified((token) => verify(token, keys, expected));

  return async function authenticate(authorization) {
    const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthenticated();
    const payload = await payloadOf(token);
    return {
      subject: subjectOf(payload),
      role: roleOf(payload, config),
      onBehalf: onBehalfOf(payload, config),
    };
  };
}

/**
 * Refuses callers whose role is too weak.
 * @throws ServiceError `auth.forbidden` when the caller has no role or one weaker than `least`
 */
export function requireRole(caller: Caller, least: Role): void {
  if (caller.role === undefined || ROLES.indexOf(caller.role) < ROLES.indexOf(least))
    throw new ServiceError('auth.forbidden');
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey,
  expected: Parameters<typeof jwtVerify>[2],
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keys, expected)).payload;
  } catch (error) {
    // jose's generic error, its timeout and fetch's TypeError mean that the issuer's keys could not be fetched.
    const ours = error instanceof errors.JOSEError && !UNREACHABLE.has(error.code);
    throw ours ? unauthenticated() : new ServiceError('auth.keys_unavailable', { cause: error });
  }
}

const UNREACHABLE: ReadonlySet<string> = new Set(['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT']);

/** The subject, 1 to 255 ASCII characters as in OpenID Connect. Required because every audit entry needs it. */
function subjectOf({ sub }: { readonly sub?: unknown }): string {
  if (typeof sub === 'string' && /^(?=.*\S)[\x20-\x7e]{1,255}$/.test(sub)) return sub;
  throw unauthenticated();
}

/** The strongest role that the token's claim or a configured list of addresses grants. */
function roleOf(payload: JWTPayload, config: AuthConfig): Role | undefined {
  const claimed = config.AUTH_ROLE_CLAIM === undefined ? [] : [payload[config.AUTH_ROLE_CLAIM]].flat();
  const email = verifiedAddress(payload);
  const listed = { reader: config.AUTH_READERS, staff: config.AUTH_STAFF, admin: config.AUTH_ADMINS };
  return ROLES.findLast(
    (role) => claimed.includes(role) || (email !== undefined && listed[role].includes(email)),
  );
}

function onBehalfOf(payload: JWTPayload, config: AuthConfig): Caller['onBehalf'] {
  const isTrusted = [payload.sub, verifiedAddress(payload)].some(
    (name) => name !== undefined && config.AUTH_TRUSTED_BACKENDS.includes(name),
  );
  if (!isTrusted) return 'refused';
  return config.AUTH_REQUIRE_ACTOR ? 'required' : 'accepted';
}

function verifiedAddress(payload: JWTPayload): string | undefined {
  const { email } = payload;
  return payload['email_verified'] === true && typeof email === 'string' ? email : undefined;
}

function unauthenticated(): ServiceError {
  return new ServiceError('auth.unauthenticated');
}
