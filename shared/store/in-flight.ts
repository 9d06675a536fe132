/**
 * Markers that are stored before consumed messages are processed. They outlive their process and tell the next one
 * which messages may have killed it. One document for each partition of each consumer group.
 */
import { randomUUID } from 'node:crypto';
import type { CollectionReference, Firestore, Timestamp } from '@google-cloud/firestore';
import type { InFlight, Marker, TopicPartition } from '../platform/in-flight.ts';
import { isPreconditionLost, translated } from './firestore.ts';

/** The collection `in_flight`. */
export function inFlightDocs(db: Firestore): CollectionReference {
  return db.collection('in_flight');
}

/** The markers of each group, raised in the name of this process. */
export function inFlightMarkers(db: Firestore) {
  const owner = randomUUID();
  const docOf = (id: string) => inFlightDocs(db).doc(id);

  return (group: string): InFlight => {
    const raisedAt = new Map<string, Timestamp>();
    const idOf = ({ topic, partition }: TopicPartition) => `${group}:${topic}:${partition}`;
    return {
      async raise(place: TopicPartition, marker: Marker): Promise<void> {
        const id = idOf(place);
        const { writeTime } = await translated(() => docOf(id).set(toStored(owner, marker)));
        raisedAt.set(id, writeTime);
      },

      /** Removes this process's marker, or only its owner. A marker that another process has stored since stays. */
      async lower(place: TopicPartition, suspicion?: Marker): Promise<void> {
        const id = idOf(place);
        const lastUpdateTime = raisedAt.get(id);
        if (lastUpdateTime === undefined) return;
        raisedAt.delete(id);
        try {
          await translated(() =>
            suspicion === undefined
              ? docOf(id).delete({ lastUpdateTime })
              : docOf(id).update({ ...toStored(null, suspicion) }, { lastUpdateTime }),
          );
        } catch (error) {
          if (!isPreconditionLost(error)) throw error;
        }
      },

      /** The marker that another process left or is about to remove; undefined when there is none. */
      async left(place: TopicPartition): Promise<Marker | undefined> {
        const snapshot = await translated(() => docOf(idOf(place)).get());
        const stored = snapshot.data() as StoredMarker | undefined;
        return stored === undefined || stored.owner === owner ? undefined : fromStored(stored);
      },
    };
  };
}

interface StoredMarker {
  /** Null when its process handed the marker on: that process is alive or ended in order. */
  readonly owner: string | null;
  readonly until: string;
  readonly suspects: readonly { readonly offset: string; readonly times: number }[];
  /** Missing in markers of earlier releases. */
  readonly in_work?: readonly string[] | null;
  readonly alone?: boolean;
}

function toStored(owner: string | null, { until, suspects, inWork }: Marker): StoredMarker {
  return {
    owner,
    until: until.toString(),
    suspects: suspects.map(({ offset, times }) => ({ offset: offset.toString(), times })),
    in_work: inWork?.offsets.map(String) ?? null,
    alone: inWork?.alone ?? false,
  };
}

function fromStored({ until, suspects, in_work, alone = false }: StoredMarker): Marker {
  return {
    until: BigInt(until),
    suspects: suspects.map(({ offset, times }) => ({ offset: BigInt(offset), times })),
    ...(Array.isArray(in_work) ? { inWork: { offsets: in_work.map(BigInt), alone } } : {}),
  };
}
