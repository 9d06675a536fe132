/**
 * The HTTP side of the stand-in: accepts mails as the communication service does (docs/domain.md#confirmation-mail),
 * shows what it received, and fails on demand.
 */
import { Hono, type Context } from 'hono';
import { z } from 'zod';
import type { Mailbox, MailKind, StoredMail } from './mailbox.ts';

/** What browsers accept: zod's own pattern refuses `xn--` top-level domains. */
const address = z.email({ pattern: z.regexes.html5Email });

const bodies = {
  email: z.strictObject({
    patient_id: z.int(),
    betreff: z.string().min(1),
    inhalt_markdown: z.string().min(1),
    empfaenger_email: address,
    // Empty when the sender does not know the name.
    empfaenger_name: z.string(),
    absender_email: address,
    absender_name: z.string().min(1),
    add_legal_footer: z.literal(true),
    status: z.literal('In_Warteschlange'),
  }),
  'system-message': z.strictObject({
    subject: z.string().min(1),
    message: z.string().min(1),
    sender_name: z.string().min(1),
  }),
} as const satisfies Record<MailKind, z.ZodType>;

const faults = z.strictObject({ status: z.int().min(400).max(599), count: z.int().min(0) });
const limits = z.coerce.number().int().min(1).max(1000).default(20);

/** @param accepted called with each new mail, not with repeats */
export function communicationApp(mailbox: Mailbox, accepted: (mail: StoredMail) => void): Hono {
  const app = new Hono();
  let fault = { status: 500, count: 0 };

  const accept = (kind: MailKind) => async (context: Context) => {
    if (fault.count > 0) {
      fault = { ...fault, count: fault.count - 1 };
      return context.json({ message: 'failing on demand' }, fault.status as 500);
    }
    const body = bodies[kind].safeParse(await context.req.json().catch(() => undefined));
    if (!body.success) return context.json({ message: z.prettifyError(body.error) }, 422);
    const { mail, repeated } = mailbox.accept(kind, context.req.header('idempotency-key'), body.data);
    if (!repeated) accepted(mail);
    return context.json({ id: mail.id, ...body.data }, 201);
  };

  const list = (kind: MailKind) => (context: Context) => {
    const limit = limits.safeParse(context.req.query('limit'));
    if (!limit.success) return context.json({ message: 'limit must be from 1 to 1000' }, 422);
    const data = mailbox.latest(kind, limit.data);
    return context.json({
      data: data.map(({ id, key, received_at, body }) => ({ id, key, received_at, ...body })),
    });
  };

  app.post('/api/emails', accept('email'));
  app.get('/api/emails', list('email'));
  app.post('/api/system-messages', accept('system-message'));
  app.get('/api/system-messages', list('system-message'));
  /** The next `count` mails are answered with `status`. */
  app.post('/faults', async (context) => {
    const asked = faults.safeParse(await context.req.json().catch(() => undefined));
    if (!asked.success) return context.json({ message: z.prettifyError(asked.error) }, 422);
    fault = asked.data;
    return context.body(null, 204);
  });
  app.get('/livez', (context) => context.text('ok'));
  return app;
}
