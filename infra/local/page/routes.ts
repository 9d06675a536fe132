/** The routes of the page: its files, queries and actions on the stack, a proxy to the API, and the documents. */
import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { proxy } from 'hono/proxy';
import { secureHeaders } from 'hono/secure-headers';
import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import type { Supervised } from '../supervisor.ts';
import { actOn, EXAMPLE_KINDS, PART_ACTIONS, POISONS, type Actions } from './actions.ts';
import { readAsset, readDocument } from './assets.ts';
import { fieldTexts } from './fields.ts';
import { guard, pageHeaders } from './guard.ts';
import type { Live } from './live.ts';
import { readPage } from './read.ts';

export interface PageDependencies {
  readonly port: number;
  readonly live: () => Live;
  readonly actions: Actions;
  /** Undefined for an engine that the stack did not start. */
  readonly part: (name: string) => Supervised | undefined;
  /** Called when a part was stopped or started, to update stack.json. */
  readonly onPartChange: () => void;
  /** The addresses of the parts, for people. */
  readonly addresses: () => Readonly<Record<string, string>>;
  readonly tokens: Readonly<Record<string, string>>;
  readonly api: string;
}

const MAX_UPLOAD = 8 * 1024 * 1024;
const MAX_EXAMPLES = 200;

const bodies = {
  examples: z.strictObject({ kind: z.enum(EXAMPLE_KINDS), count: z.int().min(1).max(MAX_EXAMPLES) }),
  part: z.strictObject({ action: z.enum(PART_ACTIONS) }),
  poison: z.strictObject({ kind: z.enum(POISONS) }),
  deadLetter: z.strictObject({
    how: z.enum(['replay', 'drop']),
    place: z.string().regex(/^[a-z]+:\d+:\d+$/),
  }),
};
const idParameter = z.coerce.number().int().min(1);

/** Swagger UI needs inline styles; otherwise the page's own policy applies. */
const docsHeaders = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
  strictTransportSecurity: false,
});

export function createPage(deps: PageDependencies): Hono {
  const app = new Hono();
  app.use(guard(deps.port));
  app.use('/docs', docsHeaders);
  app.use(async (call, next) => (call.req.path === '/docs' ? next() : pageHeaders(call, next)));
  app.onError((error, call) => call.json({ message: error.message }, 500));

  app.get('/', async (call) => call.html(await readDocument('page.html')));
  app.get('/docs', async (call) => call.html(await readDocument('docs.html')));
  app.get('/events', (call) => call.redirect('/read/docs/events.md'));
  app.get('/assets/:name', async (call) => {
    const asset = await readAsset(call.req.param('name'));
    if (asset === undefined) return call.notFound();
    return call.body(asset.body, 200, { 'content-type': asset.type });
  });
  app.get('/read/*', async (call) => {
    const page = await readPage(call.req.path.slice('/read/'.length));
    if (page === undefined) return call.notFound();
    return call.body(page.body, 200, { 'content-type': page.type });
  });

  // Forwards to the API unchanged, under the page's origin. The API authorises by the token of the request.
  app.all('/api/*', (call) => passOn(call.req.raw, deps));
  app.get('/openapi.json', (call) => passOn(call.req.raw, deps));

  app.route('/local', localRoutes(deps));
  return app;
}

/** Routes about this stack only. */
function localRoutes(deps: PageDependencies): Hono {
  const { actions } = deps;
  const app = new Hono();
  app.get('/live', (call) =>
    streamSSE(call, async (stream) => {
      const { promise: left, resolve } = Promise.withResolvers<void>();
      const leave = deps.live().subscribe((change) => {
        stream.writeSSE({ data: JSON.stringify(change) }).catch(() => resolve());
      });
      stream.onAbort(resolve);
      await left;
      leave();
    }),
  );
  app.get('/facts', (call) => call.json({ addresses: deps.addresses(), fields: fieldTexts() }));
  app.get('/tokens', (call) => call.json(deps.tokens));
  app.get('/patients/:id/events', (call) => {
    const id = idParameter.safeParse(call.req.param('id'));
    return id.success ? call.json(deps.live().history.eventsOf(id.data)) : call.notFound();
  });
  app.get('/patients/:id/mails', (call) => {
    const id = idParameter.safeParse(call.req.param('id'));
    return id.success ? call.json(deps.live().mails.of(id.data)) : call.notFound();
  });

  app.post('/files', bodyLimit({ maxSize: MAX_UPLOAD }), async (call) => {
    const name = call.req.query('name') ?? '';
    if (name === '' || name.length > 500) return call.json({ message: 'name: 1 to 500 characters' }, 422);
    await actions.uploadFile(name, Buffer.from(await call.req.arrayBuffer()));
    return call.json({ uploaded: [name] });
  });
  app.post('/files/:recordId/deliver', async (call) => {
    const upload = deps.live().files.uploadOf(call.req.param('recordId'));
    if (upload === undefined) return call.notFound();
    return call.json({ acknowledged: await actions.deliverAgain(upload) });
  });
  app.post('/examples', async (call) => {
    const body = bodies.examples.safeParse(await call.req.json().catch(() => undefined));
    if (!body.success) return call.json({ message: z.prettifyError(body.error) }, 422);
    return call.json({ uploaded: await actions.dropExamples(body.data.kind, body.data.count) });
  });
  app.post('/parts/:name', async (call) => {
    const body = bodies.part.safeParse(await call.req.json().catch(() => undefined));
    const part = deps.part(call.req.param('name'));
    if (part === undefined) return call.notFound();
    if (!body.success) return call.json({ message: z.prettifyError(body.error) }, 422);
    await actOn(part, body.data.action);
    deps.onPartChange();
    return call.json({ state: part.state });
  });
  app.post('/poison', async (call) => {
    const body = bodies.poison.safeParse(await call.req.json().catch(() => undefined));
    if (!body.success) return call.json({ message: z.prettifyError(body.error) }, 422);
    await actions.poison(body.data.kind);
    return call.json({ sent: body.data.kind });
  });
  app.post('/dead-letters', async (call) => {
    const body = bodies.deadLetter.safeParse(await call.req.json().catch(() => undefined));
    if (!body.success) return call.json({ message: z.prettifyError(body.error) }, 422);
    return call.json({ said: await actions.settleDeadLetter(body.data.how, body.data.place) });
  });
  return app;
}

/** Marks the page's own refreshes, which the picture does not show. */
const BACKGROUND = 'x-background';

async function passOn(request: Request, { api, live }: PageDependencies): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const traceId = randomBytes(16).toString('hex');
  if (request.headers.has(BACKGROUND)) live().ignore(traceId);
  const headers = new Headers(request.headers);
  for (const name of ['host', 'origin', BACKGROUND]) headers.delete(name);
  headers.set('traceparent', `00-${traceId}-${randomBytes(8).toString('hex')}-01`);
  try {
    return await proxy(api + pathname + search, { raw: request, headers });
  } catch {
    return Response.json({ title: 'The API does not answer', status: 502 }, { status: 502 });
  }
}
