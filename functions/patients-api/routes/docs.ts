/**
 * GET /docs: a page to read the contract and try it. The service serves all its files itself, so that the browser of
 * somebody who reads patient data contacts no other host. infra/bundle.ts adds the files of Swagger UI.
 */
import { readFile } from 'node:fs/promises';
import { ServiceError } from '../../../shared/platform/errors.ts';
import type { Call, Dependencies, Route } from '../route.ts';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const files: Readonly<Record<string, string>> = {
  'docs.html': 'text/html; charset=utf-8',
  'docs.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

export const docsRoute: Route = {
  method: 'GET',
  path: '/docs',
  role: undefined,
  summary: 'Read the contract and try it',
  answers: {
    200: { description: 'An interactive page', mediaType: 'text/html' },
    302: { description: 'On the local stack: to the same page with tokens filled in' },
  },
  problems: [],
  handle: (call, deps) =>
    deps.localPage === undefined
      ? answerFile(call, deps, 'docs.html')
      : call.redirect(`${deps.localPage}/docs`),
};

export const docsFileRoute: Route = {
  method: 'GET',
  path: '/docs/{file}',
  role: undefined,
  summary: 'Read a file of the documentation page',
  answers: { 200: { description: 'The file', mediaType: 'text/*' } },
  problems: ['request.not_found'],
  handle: (call, deps) => answerFile(call, deps, call.req.param('file') ?? ''),
};

async function answerFile(call: Call, { assets }: Dependencies, name: string): Promise<Response> {
  const type = Object.hasOwn(files, name) ? files[name] : undefined;
  if (type === undefined) throw new ServiceError('request.not_found');
  const content = await readFile(new URL(name, assets));
  return call.body(content, 200, {
    'content-type': type,
    'content-security-policy': POLICY,
    'cache-control': 'public, max-age=3600',
  });
}
