/** GET /livez: shows that the process responds. check-health tells whether the service is healthy. */
import type { Route } from '../route.ts';

export const livezRoute: Route = {
  method: 'GET',
  path: '/livez',
  role: undefined,
  summary: 'Find out whether the process responds',
  answers: { 200: { description: 'The process responds', schema: 'Liveness' } },
  problems: [],
  handle: (call) => call.json({ status: 'ok' }),
};
