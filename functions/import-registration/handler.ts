/**
 * The import trigger over HTTP: one CloudEvent about a finalized object, in binary or structured mode
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md). The response is 2xx
 * when the event is handled, and an error when Eventarc must deliver it again.
 */
import type { HttpFunction, Request } from '@google-cloud/functions-framework';
import { ServiceError } from '../../shared/platform/errors.ts';
import { errorFields } from '../../shared/platform/log.ts';
import { measure } from '../../shared/platform/metrics.ts';
import { problemOf } from '../../shared/platform/problem-details.ts';
import { readJson } from '../../shared/platform/request-json.ts';
import { bypassFramework } from '../../shared/platform/request-stream.ts';
import { continueTrace, withTrace } from '../../shared/platform/trace.ts';
import { importObject, type ImportDependencies } from '../../shared/registration/import-object.ts';
import { finalizedObject } from './storage-event.ts';

export function createHandler(deps: ImportDependencies): HttpFunction {
  const { log } = deps;
  bypassFramework();
  return (request, response) =>
    withTrace(continueTrace(request.get('ce-traceparent') ?? request.get('traceparent')), async () => {
      try {
        await handle(deps, request);
        response.status(204).end();
      } catch (error) {
        const { code, details, headers } = problemOf(error);
        // Log no part of a refused request, because it may contain anything.
        if (code.startsWith('request.')) log.warn('Request refused', { error_code: code });
        else log.error('Import failed, the event will be delivered again', errorFields(error));
        measure(log, 'errors', { error_code: code });
        if (code === 'request.method_not_allowed') response.set('allow', 'POST');
        response.status(details.status).set(headers).send(JSON.stringify(details));
      }
    });
}

async function handle(deps: ImportDependencies, request: Request): Promise<void> {
  if (request.method !== 'POST') throw new ServiceError('request.method_not_allowed');
  const body = await readJson(request);
  const object = finalizedObject(isStructured(request) ? dataOf(body) : body);
  if (object === undefined || object.bucket !== deps.bucket.name) {
    deps.log.warn('Event ignored because it is not about an object of the import bucket');
    return;
  }
  await importObject(deps, object);
}

function isStructured(request: Request): boolean {
  return /^application\/cloudevents\+json\b/i.test(request.get('content-type') ?? '');
}

function dataOf(event: unknown): unknown {
  return (event as { data?: unknown } | null | undefined)?.data;
}
