/**
 * Determines the person behind a call: the caller itself, or the person that a trusted backend names in `X-Actor`. Any
 * other caller that sends the header is refused. If it were ignored, the caller would think that the person is recorded.
 */
import type { Caller } from '../../shared/platform/auth.ts';
import { ServiceError } from '../../shared/platform/errors.ts';

export interface Acting {
  readonly actor: string;
  /** The backend's subject if a backend calls for the actor. */
  readonly via?: string;
}

const POINTER = '/X-Actor';

/** Printable ASCII without spaces or `@`, because the id goes into the audit trail and must not be an e-mail address. */
const PSEUDONYM = /^[\x21-\x3f\x41-\x7e]{1,100}$/;

/**
 * Determines the actor.
 * @param named the value of `X-Actor`
 * @throws ServiceError `auth.actor_refused`, `auth.actor_required`, `request.invalid_parameter`
 */
export function actingFor({ subject, onBehalf }: Caller, named: string | undefined): Acting {
  if (named === undefined) {
    if (onBehalf !== 'required') return { actor: subject };
    throw new ServiceError('auth.actor_required', {
      violations: [{ pointer: POINTER, detail: 'must name the person that the call is made for' }],
    });
  }
  if (onBehalf === 'refused') {
    throw new ServiceError('auth.actor_refused', {
      violations: [{ pointer: POINTER, detail: 'is accepted from trusted backends only' }],
    });
  }
  if (!PSEUDONYM.test(named)) {
    throw new ServiceError('request.invalid_parameter', {
      violations: [
        { pointer: POINTER, detail: 'must be an id of 1 to 100 visible ASCII characters without @' },
      ],
    });
  }
  return { actor: named, via: subject };
}
