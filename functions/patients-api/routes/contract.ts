/** GET /openapi.json: the contract, generated from the schemas that validate. */
import type { Route } from '../route.ts';

/** @param contract makes the document; called once, at the first request */
export function contractRoute(contract: () => object): Route {
  let document: object | undefined;
  return {
    method: 'GET',
    path: '/openapi.json',
    role: undefined,
    summary: 'Read this contract',
    answers: { 200: { description: 'An OpenAPI 3.1 document', schema: 'Contract' } },
    problems: [],
    handle: (call) => call.json((document ??= contract())),
  };
}
