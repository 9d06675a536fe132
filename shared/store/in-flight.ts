/**
 * The markers in front of consumed messages: they outlive the process that raised them, and tell the next one
 * which messages may have ended it. One document for each partition of each consumer group, and one for each
 * process that says which message it tries alone.
 */
import { randomUUID } from 'node:crypto';
import { Timestamp, type CollectionReference, type Firestore } from '@google-cloud/firestore';
import pLimit from 'p-limit';
import type { InFlight, Marker, TopicPartition } from '../platform/in-flight.ts';
import type { Clock } from '../platform/clock.ts';
import { isPreconditionLost, translated } from './firestore.ts';

/** Which message a process tries alone. Only the next process that takes the partition needs it. */
interface TrialNote {
  readonly place: string;
  readonly offset: string;
  readonly expires_at: Timestamp;
}

const TRIAL_KEPT_MS = 7 * 24 * 3600 * 1000;

/** The collection `in_flight`. */
export function inFlightDocs(db: Firestore): CollectionReference {
  return db.collection('in_flight');
}

/** The markers of each group, raised in the name of this process. */
export function inFlightMarkers(db: Firestore, clock: Clock) {
  const owner = randomUUID();
  const oneAtATime = pLimit(1);
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

      /** Removes this process's marker, or its owner. A marker that another process has put in its place stays. */
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

      /**
       * The marker of another process, which has died or will soon lower it, and the message which that process
       * tried.
       */
      async left(place: TopicPartition): Promise<Marker | undefined> {
        const id = idOf(place);
        return translated(async () => {
          const stored = (await docOf(id).get()).data() as StoredMarker | undefined;
          if (stored === undefined || stored.owner === owner) return undefined;
          const times = new Map(stored.suspects.map((suspect) => [suspect.offset, suspect.times]));
          const trial =
            stored.owner === null
              ? undefined
              : ((await docOf(stored.owner).get()).data() as TrialNote | undefined);
          if (trial?.place === id) times.set(trial.offset, (times.get(trial.offset) ?? 0) + 1);
          return {
            until: BigInt(stored.until),
            suspects: [...times].map(([offset, times]) => ({ offset: BigInt(offset), times })),
          };
        });
      },

      /** Runs `work` alone in this process, whatever the group, and noted. */
      try(place: TopicPartition, offset: bigint, work: () => Promise<void>): Promise<void> {
        return oneAtATime(async () => {
          const note: TrialNote = {
            place: idOf(place),
            offset: offset.toString(),
            expires_at: Timestamp.fromMillis(clock().epochMilliseconds + TRIAL_KEPT_MS),
          };
          await translated(() => docOf(owner).set(note));
          try {
            // After a success the note stays until the next trial: the message is done and is not tried again.
            await work();
          } catch (error) {
            await docOf(owner)
              .delete()
              .catch(() => undefined);
            throw error;
          }
        });
      },
    };
  };
}

interface StoredMarker {
  /** Null: its process handed it on, and is alive or has ended in order. */
  readonly owner: string | null;
  readonly until: string;
  readonly suspects: readonly { readonly offset: string; readonly times: number }[];
}

function toStored(owner: string | null, { until, suspects }: Marker): StoredMarker {
  return {
    owner,
    until: until.toString(),
    suspects: suspects.map(({ offset, times }) => ({ offset: offset.toString(), times })),
  };
}
