/**
 * Remembers verified tokens for a minute, because checking a signature costs a caller's request more than all other steps of
 * the API. A key that the issuer withdraws is cached for ten minutes anyway, so a token of it works for eleven at most.
 */
import type { JWTPayload } from 'jose';

const REMEMBERED_MS = 60_000;
const MAX_TOKENS = 500;

/**
 * Verifies each token once a minute. Only tokens that pass are remembered, and none beyond its `exp`.
 * @param verify checks signature and claims, and rejects a token that is not valid
 */
export function rememberVerified(
  verify: (token: string) => Promise<JWTPayload>,
): (token: string) => Promise<JWTPayload> {
  const known = new Map<string, { readonly payload: JWTPayload; readonly until: number }>();
  return async (token) => {
    const found = known.get(token);
    if (found !== undefined && Date.now() < found.until) return found.payload;
    known.delete(token);
    const payload = await verify(token);
    const until = Math.min(Date.now() + REMEMBERED_MS, (payload.exp ?? 0) * 1000);
    if (known.size >= MAX_TOKENS) known.clear();
    known.set(token, { payload, until });
    return payload;
  };
}
