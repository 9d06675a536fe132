/** GET /livez: the process answers. Whether the service is healthy is check-health's to say. */
import type { Route } from '../route.ts';

export const livezRoute: Route = {
  method: 'GET',
  path: '/livez',
  role: undefined,
  summary: 'Find out whether the process answers',
  answers: { 200: { description: 'It does', schema: 'Liveness' } },
  problems: [],
  handle: (call) => call.json({ status: 'ok' }),
};
