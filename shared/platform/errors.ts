/**
 * Every error of this service, as a closed set of codes. The table below is the only place that says whether a code is
 * worth a retry and which HTTP status it has. Code that catches an error looks there and never reads the message.
 */

interface Fate {
  /** Whether the same call may succeed later: the fault is in a dependency or in timing, not in the input. */
  readonly retriable: boolean;
  /** HTTP status of the problem document. */
  readonly status: number;
  /** Title of the problem document (RFC 9457, 3.1.3). The same for every occurrence. */
  readonly title: string;
}

const table = {
  // The request
  'request.malformed_json': { retriable: false, status: 400, title: 'The body is not valid JSON' },
  'request.malformed_url': {
    retriable: false,
    status: 400,
    title: 'The URL is not valid UTF-8 in percent-encoding',
  },
  'request.invalid_parameter': { retriable: false, status: 422, title: 'A parameter is not valid' },
  'request.not_found': { retriable: false, status: 404, title: 'There is nothing at this path' },
  'request.method_not_allowed': { retriable: false, status: 405, title: 'The method is not allowed here' },
  'request.unsupported_media_type': {
    retriable: false,
    status: 415,
    title: 'The body must be application/json',
  },
  'request.too_large': { retriable: false, status: 413, title: 'The body is too large' },
  'request.precondition_failed': {
    retriable: false,
    status: 412,
    title: 'The patient has changed since it was read',
  },
  'request.idempotency_key_reused': {
    retriable: false,
    status: 422,
    title: 'The Idempotency-Key was used with another body',
  },
  'request.idempotent_patient_erased': {
    retriable: false,
    status: 410,
    title: 'The patient created with this Idempotency-Key was erased',
  },
  'request.body_timed_out': { retriable: true, status: 408, title: 'The body did not arrive in time' },
  'request.timed_out': { retriable: true, status: 503, title: 'The answer took too long, try again' },
  'auth.unauthenticated': { retriable: false, status: 401, title: 'A valid bearer token is required' },
  'auth.forbidden': { retriable: false, status: 403, title: 'The role does not permit this' },
  'auth.actor_required': {
    retriable: false,
    status: 403,
    title: 'The header X-Actor must name the person that the call is made for',
  },
  'auth.actor_refused': {
    retriable: false,
    status: 403,
    title: 'The header X-Actor is accepted from trusted backends only',
  },
  'auth.keys_unavailable': {
    retriable: true,
    status: 503,
    title: 'The keys of the token issuer are not reachable, try again',
  },

  // The patient
  'patient.invalid': { retriable: false, status: 422, title: 'The patient data is not valid' },
  'patient.not_found': { retriable: false, status: 404, title: 'There is no such patient' },
  'patient.no_consent': {
    retriable: false,
    status: 404,
    title: 'The patient was registered without a consent',
  },
  'patient.reference_taken': { retriable: false, status: 409, title: 'The payment reference is taken' },

  // A registration file: each code moves the file to failed/ and is stored as the reason
  'import.not_json_file': { retriable: false, status: 422, title: 'The file name does not end in .json' },
  'import.too_large': { retriable: false, status: 422, title: 'The file is larger than 1 MiB' },
  'import.content_encoding': {
    retriable: false,
    status: 422,
    title: 'The file is neither plain nor valid gzip',
  },
  'import.malformed_json': { retriable: false, status: 422, title: 'The file is not valid UTF-8 JSON' },
  'import.invalid': { retriable: false, status: 422, title: 'The registration breaks rules' },
  'import.token_missing': { retriable: false, status: 422, title: 'The registration has no token' },
  'import.reference_taken': {
    retriable: false,
    status: 409,
    title: 'Another registration has the same payment reference',
  },
  'import.unsigned': { retriable: false, status: 422, title: 'The file must be signed' },
  'import.signature_unexpected': {
    retriable: false,
    status: 422,
    title: 'The file is signed, but no key is set',
  },
  'import.signature_invalid': { retriable: false, status: 422, title: 'The signature does not match' },
  'import.signature_expired': {
    retriable: false,
    status: 422,
    title: 'The signed timestamp is more than 24 h from the upload',
  },
  'import.environment_mismatch': {
    retriable: false,
    status: 422,
    title: 'The file was signed for another environment',
  },

  // A consumed event: each code sends the message to the dead-letter topic
  'event.not_json': { retriable: false, status: 422, title: 'The message is not valid UTF-8 JSON' },
  'event.invalid_envelope': { retriable: false, status: 422, title: 'The message has no valid envelope' },
  'event.unsupported_version': { retriable: false, status: 422, title: 'The envelope version is not 1.x' },
  'event.invalid_payload': { retriable: false, status: 422, title: 'The payload breaks its schema' },
  'event.too_large': { retriable: false, status: 422, title: 'The message is too large' },
  'event.timestamp_in_future': {
    retriable: false,
    status: 422,
    title: 'The timestamp is more than a day ahead',
  },
  'event.handler_failed': {
    retriable: false,
    status: 500,
    title: 'The handler failed because of a fault in this service',
  },
  'event.patients_left': {
    retriable: false,
    status: 500,
    title: 'The event could not be applied to some patients',
  },
  'event.process_killer': {
    retriable: false,
    status: 500,
    title: 'The process died each time it handled the message',
  },

  // A message that this service publishes: an event or a dead letter
  'event.unsendable': {
    retriable: false,
    status: 500,
    title: 'The message cannot be encoded, or Kafka refuses it',
  },

  // Dependencies
  'store.contention': { retriable: true, status: 503, title: 'Too many writers at once, try again' },
  'store.unavailable': { retriable: true, status: 503, title: 'The database is not reachable, try again' },
  'store.fenced': {
    retriable: true,
    status: 503,
    title: 'The database was restored and is not released yet, try again later',
  },
  'storage.unavailable': {
    retriable: true,
    status: 503,
    title: 'The file storage is not reachable, try again',
  },
  'kafka.unavailable': { retriable: true, status: 503, title: 'Kafka is not reachable, try again' },
  'communication.unavailable': {
    retriable: true,
    status: 503,
    title: 'The communication service did not accept the mail',
  },
  'communication.refused': {
    retriable: false,
    status: 502,
    title: 'The communication service rejected the mail',
  },
  'config.invalid': { retriable: false, status: 500, title: 'The configuration is not valid' },
  internal: { retriable: false, status: 500, title: 'Something went wrong on our side' },
} as const satisfies Record<string, Fate>;

/** The code of an error of this service, such as `patient.not_found`. */
export type ErrorCode = keyof typeof table;

/** All codes, in the order of the table. */
export const errorCodes = Object.keys(table) as ErrorCode[];

/** A reason of a dead letter. */
export type DeadLetterCode = Exclude<Extract<ErrorCode, `event.${string}`>, 'event.unsendable'>;

/** All reasons of dead letters, in the order of the table. */
export const deadLetterCodes = errorCodes.filter(
  (code): code is DeadLetterCode => code.startsWith('event.') && code !== 'event.unsendable',
);

/** What follows from this code: whether to retry, the HTTP status and the title. */
export function fateOf(code: ErrorCode): Fate {
  return table[code];
}

/** One broken rule of an input. */
export interface Violation {
  /** JSON pointer (RFC 6901) to the offending value. */
  readonly pointer: string;
  /** The rule in words. Never contains the value. */
  readonly detail: string;
}

/** Violations listed at most, so that the document fits where it is stored and sent. The rest are only counted. */
const MAX_VIOLATIONS = 500;

function capped(violations: readonly Violation[]): readonly Violation[] {
  // One more is allowed, because the sentence that counts the rest would take its place.
  if (violations.length <= MAX_VIOLATIONS + 1) return violations;
  const more = { pointer: '', detail: `breaks rules in ${violations.length - MAX_VIOLATIONS} more places` };
  return [...violations.slice(0, MAX_VIOLATIONS), more];
}

/** An error with a code from the table. The message is safe to log and show: it holds ids and rules, no values. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  readonly violations: readonly Violation[];

  constructor(
    code: ErrorCode,
    options: { violations?: readonly Violation[]; cause?: unknown; detail?: string } = {},
  ) {
    super(options.detail ?? table[code].title, { cause: options.cause });
    this.code = code;
    this.violations = capped(options.violations ?? []);
  }

  get retriable(): boolean {
    return table[this.code].retriable;
  }
}

/** Whether `error` is a ServiceError with one of these codes; with any code when none is given. */
export function isServiceError<C extends ErrorCode>(
  error: unknown,
  ...codes: readonly C[]
): error is ServiceError & { code: C } {
  return (
    error instanceof ServiceError && (codes.length === 0 || (codes as readonly string[]).includes(error.code))
  );
}
