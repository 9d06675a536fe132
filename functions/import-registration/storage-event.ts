/** The `google.cloud.storage.object.v1.finalized` event, as Eventarc delivers it: 64-bit numbers are strings. */
import { z } from 'zod';
import { parseTimestamp, type Instant } from '../../shared/platform/clock.ts';
import type { FinalizedObject } from '../../shared/registration/bucket.ts';

const storageObject = z.looseObject({
  bucket: z.string(),
  // Not ce-subject: that one arrives percent-encoded.
  name: z.string(),
  generation: z.string().regex(/^\d+$/),
  size: z.string().regex(/^\d+$/),
  contentEncoding: z.string().optional().catch(undefined),
  timeCreated: z.string().transform((text, context): Instant => {
    const instant = parseTimestamp(text);
    if (instant !== undefined) return instant;
    context.addIssue({ code: 'custom', message: 'is no timestamp' });
    return z.NEVER;
  }),
});

/** The object an event speaks of, or undefined when the event is no such event: a repeat would not mend it. */
export function finalizedObject(data: unknown): (FinalizedObject & { readonly bucket: string }) | undefined {
  const parsed = storageObject.safeParse(data);
  if (!parsed.success) return undefined;
  const { bucket, name, generation, size, timeCreated, contentEncoding } = parsed.data;
  return { bucket, name, generation, bytes: Number(size), uploadedAt: timeCreated, contentEncoding };
}
