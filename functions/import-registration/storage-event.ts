/** Parses the `google.cloud.storage.object.v1.finalized` event. Eventarc sends 64-bit numbers as strings. */
import { z } from 'zod';
import { parseTimestamp, type Instant } from '../../shared/platform/clock.ts';
import type { FinalizedObject } from '../../shared/registration/bucket.ts';

const storageObject = z.looseObject({
  bucket: z.string(),
  // Use this instead of ce-subject, which is percent-encoded.
  name: z.string().refine((value) => value.isWellFormed()),
  generation: z.string().regex(/^\d+$/),
  size: z.string().regex(/^\d+$/),
  contentEncoding: z.string().optional().catch(undefined),
  timeCreated: z.string().transform((text, context): Instant => {
    const instant = parseTimestamp(text);
    if (instant !== undefined) return instant;
    context.addIssue({ code: 'custom', message: 'is not a timestamp' });
    return z.NEVER;
  }),
});

/** The object that the event is about; undefined for any other event, because a redelivery would not change it. */
export function finalizedObject(data: unknown): (FinalizedObject & { readonly bucket: string }) | undefined {
  const parsed = storageObject.safeParse(data);
  if (!parsed.success) return undefined;
  const { bucket, name, generation, size, timeCreated, contentEncoding } = parsed.data;
  return { bucket, name, generation, bytes: Number(size), uploadedAt: timeCreated, contentEncoding };
}
