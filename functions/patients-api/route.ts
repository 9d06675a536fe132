/** The description of a route, from which the router, the access rules and the contract are made. */
import type { ImportBucket } from '../../shared/registration/bucket.ts';
import type { Firestore } from '@google-cloud/firestore';
import type { Context } from 'hono';
import type { PatientId } from '../../shared/patient/schema.ts';
import type { Authenticate, Caller, Role } from '../../shared/platform/auth.ts';
import type { Clock } from '../../shared/platform/clock.ts';
import type { ErrorCode } from '../../shared/platform/errors.ts';
import type { Log, LogFields } from '../../shared/platform/log.ts';
import type { KeptDays } from '../../shared/store/patient-export.ts';
import type { AllocatePatientId } from '../../shared/store/patient-ids.ts';
import type { z } from 'zod';
import type { Acting } from './actor.ts';
import type { RequestSchemaName, SchemaName } from './schemas.ts';

export interface Dependencies {
  readonly db: Firestore;
  readonly bucket: ImportBucket;
  readonly allocatePatientId: AllocatePatientId;
  readonly clock: Clock;
  readonly log: Log;
  readonly authenticate: Authenticate;
  /** For the export: how many days data remains in places that an erasure does not reach. */
  readonly keptDays: KeptDays;
  /** Origins of browsers that may call the API; CORS is off when there are none. */
  readonly corsOrigins: readonly string[];
  /** On the local stack: where the documentation page is served with tokens filled in. */
  readonly localPage?: string | undefined;
  /** Folder with the files of the documentation page. */
  readonly assets: URL;
}

/** A request that has reached its route. */
export type Call = Context<{
  Variables: {
    route: string;
    caller: Caller;
    acting: Acting;
    /** The patients whose data the response contains, or the one in the path. */
    subjects: readonly PatientId[];
    /** The audit fields of this request's log line; set last. */
    audit: LogFields;
    isChangeLogged: boolean;
    isImpersonal: boolean;
  };
}>;

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A successful answer, for the contract. */
export interface Answer {
  readonly description: string;
  /** The JSON body. Without it the response has no body, or one of `mediaType`. */
  readonly schema?: SchemaName;
  readonly mediaType?: string;
  readonly headers?: readonly AnswerHeader[];
}

export type AnswerHeader = 'ETag' | 'Location';
export type RequestHeader = 'If-Match' | 'If-None-Match' | 'Idempotency-Key' | 'X-Actor';

export interface Route {
  readonly method: Method;
  /** As in OpenAPI: `/api/patients/{id}`. */
  readonly path: string;
  /** The weakest role that may call it; undefined when no token is required. */
  readonly role: Role | undefined;
  /** The response contains no personal data, so only refusals are audited. */
  readonly isImpersonal?: true;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly requestHeaders?: readonly RequestHeader[];
  readonly body?: { readonly schema: RequestSchemaName; readonly required: boolean };
  readonly answers: Readonly<Record<number, Answer>>;
  /** The errors of this route. The contract adds those that every route has. */
  readonly problems: readonly ErrorCode[];
  handle(call: Call, deps: Dependencies): Response | Promise<Response>;
}
