/**
 * The markers in front of consumed messages: they outlive the process that raised them, and tell the next one
 * which messages may have ended it. One document for each partition of each consumer group.
 */
import { randomUUID } from 'node:crypto';
import type { Firestore, Timestamp } from '@google-cloud/firestore';
import { isPreconditionLost, translated } from './firestore.ts';

interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface Marker {
  readonly until: bigint;
  readonly alone: readonly { readonly offset: bigint; readonly times: number }[];
}

/** The markers of one group, raised in the name of this process. Every method throws ServiceError `store.*`. */
export function inFlightMarkers(db: Firestore, group: string) {
  const owner = randomUUID();
  const raisedAt = new Map<string, Timestamp>();
  const idOf = ({ topic, partition }: Place) => `${group}:${topic}:${partition}`;
  const docOf = (id: string) => db.collection('in_flight').doc(id);
  return {
    async raise(place: Place, { until, alone }: Marker): Promise<void> {
      const id = idOf(place);
      const { writeTime } = await translated(() =>
        docOf(id).set({
          owner,
          until: until.toString(),
          alone: alone.map(({ offset, times }) => ({ offset: offset.toString(), times })),
        }),
      );
      raisedAt.set(id, writeTime);
    },

    /** Takes down the own marker; one that another process has put in its place stays. */
    async lower(place: Place): Promise<void> {
      const id = idOf(place);
      const lastUpdateTime = raisedAt.get(id);
      if (lastUpdateTime === undefined) return;
      raisedAt.delete(id);
      try {
        await translated(() => docOf(id).delete({ lastUpdateTime }));
      } catch (error) {
        if (!isPreconditionLost(error)) throw error;
      }
    },

    /** The marker of another process, which has died or will soon lower it. */
    async left(place: Place): Promise<Marker | undefined> {
      const stored = (await translated(() => docOf(idOf(place)).get())).data() as StoredMarker | undefined;
      if (stored === undefined || stored.owner === owner) return undefined;
      return {
        until: BigInt(stored.until),
        alone: stored.alone.map(({ offset, times }) => ({ offset: BigInt(offset), times })),
      };
    },
  };
}

interface StoredMarker {
  readonly owner: string;
  readonly until: string;
  readonly alone: readonly { readonly offset: string; readonly times: number }[];
}
