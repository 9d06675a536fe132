/** The OpenAPI 3.1 document, generated from the routes and from the schemas that validate requests and responses. */
import { z } from 'zod';
import { fateOf, type ErrorCode } from '../../shared/platform/errors.ts';
import { PROBLEM_MEDIA_TYPE } from '../../shared/platform/problem-details.ts';
import type { Answer, AnswerHeader, RequestHeader, Route } from './route.ts';
import {
  answerSchemas,
  requestExamples,
  requestSchemas,
  type RequestSchemaName,
  type SchemaName,
} from './schemas.ts';

const COMPONENTS = '#/components/schemas/';

const requestHeaders: Record<RequestHeader, string> = {
  'If-Match': 'Entity tags; the change is refused unless one is the current version of the patient',
  'If-None-Match': 'Entity tags; 304 when the patient has one of these versions',
  'X-Actor':
    'Id of the person that a trusted backend calls for: 1 to 100 visible ASCII characters without @; refused from any other caller',
  'Idempotency-Key':
    '1 to 255 visible ASCII characters; repeating a request with the same key and body gives the same response',
};

const answerHeaders: Record<AnswerHeader, string> = {
  ETag: "The patient's version",
  Location: 'Path of the new patient',
};

/** Problems that routes have besides their own: all routes, those with a role, those with a body. */
const problemsOfUrls: readonly ErrorCode[] = ['request.malformed_url'];
const problemsOfRoles: readonly ErrorCode[] = [
  'auth.unauthenticated',
  'auth.forbidden',
  'auth.actor_refused',
  'auth.actor_required',
  'request.invalid_parameter',
];
const problemsOfBodies: readonly ErrorCode[] = [
  'request.malformed_json',
  'request.body_timed_out',
  'request.too_large',
  'request.unsupported_media_type',
];
const problemsOfStores: readonly ErrorCode[] = ['store.unavailable', 'store.contention', 'internal'];

export function openApiDocument(routes: readonly Route[]): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Patient service',
      version: '1.0.0',
      description:
        'Patients of a placement service for psychotherapy. Errors are problem documents (RFC 9457) that name every broken rule.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths: Object.fromEntries(
      [...Map.groupBy(routes, (route) => route.path)].map(([path, methods]) => [
        path,
        Object.fromEntries(methods.map((route) => [route.method.toLowerCase(), operation(route)])),
      ]),
    ),
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: { ...components(requestSchemas, 'input'), ...components(answerSchemas, 'output') },
    },
  };
}

function operation(route: Route): object {
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replaceAll(/[^a-zA-Z]+(\w)/g, (_, letter: string) => letter.toUpperCase()).replaceAll(/\W/g, '')}`,
    summary: route.summary,
    description:
      route.role === undefined ? 'Requires no token.' : `Requires the role ${route.role} or a stronger one.`,
    ...(route.role === undefined ? { security: [] } : {}),
    parameters: [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: route.body.required, content: request(route.body.schema) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, answer]) => [status, response(answer)]),
      ),
      ...problemResponses(route),
    },
  };
}

function pathParameters(route: Route): object[] {
  return [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'id' ? { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 } : { type: 'string' },
    example: name === 'id' ? 1 : 'docs.js',
  }));
}

function queryParameters({ query }: Route): object[] {
  if (query === undefined) return [];
  const { properties = {} } = z.toJSONSchema(query, { io: 'output' });
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
}

function headerParameters({ role, requestHeaders: own = [] }: Route): object[] {
  const names = role === undefined ? own : [...own, 'X-Actor' as const];
  return names.map((name) => ({
    name,
    in: 'header',
    required: false,
    description: requestHeaders[name],
    schema: { type: 'string' },
  }));
}

function response({ description, schema, mediaType, headers }: Answer): object {
  return {
    description,
    ...(headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            headers.map((name) => [
              name,
              { description: answerHeaders[name], required: true, schema: { type: 'string' } },
            ]),
          ),
        }),
    ...(schema === undefined ? {} : { content: json(schema) }),
    ...(mediaType === undefined ? {} : { content: { [mediaType]: { schema: { type: 'string' } } } }),
  };
}

/** Grouped by status, because several codes may have the same one. */
function problemResponses(route: Route): object {
  const codes = [
    ...route.problems,
    ...problemsOfUrls,
    ...(route.role === undefined ? [] : [...problemsOfRoles, ...problemsOfStores]),
    ...(route.body === undefined ? [] : problemsOfBodies),
  ];
  const byStatus = Map.groupBy(codes, (code) => fateOf(code).status);
  return Object.fromEntries(
    [...byStatus].map(([status, shared]) => [
      status,
      {
        description: shared.map((code) => fateOf(code).title).join('. '),
        content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: `${COMPONENTS}Problem` } } },
      },
    ]),
  );
}

function request(schema: RequestSchemaName): object {
  const example = requestExamples[schema];
  return { 'application/json': { schema: { $ref: COMPONENTS + schema }, example } };
}

function json(schema: SchemaName): object {
  return { 'application/json': { schema: { $ref: COMPONENTS + schema } } };
}

function components(schemas: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): object {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { io, uri: (id) => COMPONENTS + id });
  return Object.fromEntries(
    Object.entries(made.schemas).map(([name, { $schema: _dialect, $id: _uri, ...schema }]) => [name, schema]),
  );
}
