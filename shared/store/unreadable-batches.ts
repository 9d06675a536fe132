/**
 * Batches of consumed topics that no worker can read: the facts about each, the operators' decisions to pass over them,
 * and their outcome. The documents stay as the record of what was passed over; none holds a key or a value.
 */
import type { DocumentReference, Firestore, Query } from '@google-cloud/firestore';
import { utcTimestamp, type Clock, type Instant, type UtcTimestamp } from '../platform/clock.ts';
import { isAlreadyExists, isPreconditionLost, translated } from './firestore.ts';

/** Offsets are in decimal, times in milliseconds since the epoch as the batch claims. */
export interface UnreadableBatchRecord {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** The offset at which the partition is stopped. */
  readonly offset: string;
  /** Last offset of the batch; null when it cannot be determined reliably. */
  readonly last_offset: string | null;
  readonly reason: string;
  readonly header: {
    readonly base_offset: string;
    readonly bytes: number;
    readonly magic: number;
    readonly codec: number;
    readonly crc: number;
    readonly records: number;
    readonly first_timestamp: number;
    readonly max_timestamp: number;
  } | null;
  readonly found_at: UtcTimestamp;
  /** `gone`: the partition is no longer stopped there, because its messages were deleted or its position was moved. */
  readonly state: 'standing' | 'passed' | 'readable' | 'gone';
  /** The last offset that an operator has decided to pass over. */
  readonly pass_to: string | null;
  readonly decided_at: UtcTimestamp | null;
  readonly ended_at: UtcTimestamp | null;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface Batch {
  readonly reason: string;
  readonly offset: bigint;
  readonly lastOffset: bigint | undefined;
  readonly header:
    | {
        readonly baseOffset: bigint;
        readonly bytes: number;
        readonly magic: number;
        readonly codec: number;
        readonly crc: number;
        readonly records: number;
        readonly firstTimestamp: number;
        readonly maxTimestamp: number;
      }
    | undefined;
}

function batches(db: Firestore) {
  return db.collection('unreadable_batches');
}

/** The checksum is part of the id: a decision about one batch never concerns another at the same offset. */
function idOf(group: string, { topic, partition }: Place, { offset, header }: Batch): string {
  return [group, topic, partition, offset, header?.crc.toString(16) ?? 'none'].join(':');
}

/** The notes of each group. Every method throws ServiceError `store.*`. */
export function unreadableBatchNotes(db: Firestore, clock: Clock) {
  return (group: string) => ({
    /** @returns the last offset that an operator has decided to pass over */
    async standing(place: Place, batch: Batch): Promise<bigint | undefined> {
      const doc = batches(db).doc(idOf(group, place, batch));
      return translated(async () => {
        const known = (await doc.get()).data() as UnreadableBatchRecord | undefined;
        if (known === undefined) await createOnce(doc, recordOf(group, place, batch, clock()));
        else if (known.state !== 'standing') await doc.update({ state: 'standing', ended_at: null });
        return known?.pass_to === undefined || known.pass_to === null ? undefined : BigInt(known.pass_to);
      });
    },

    async ended({ topic, partition }: Place, how: UnreadableBatchRecord['state']): Promise<void> {
      await translated(async () => {
        const { docs } = await standingQuery(db, group).get();
        const here = docs.filter((doc) => doc.get('topic') === topic && doc.get('partition') === partition);
        const ended_at = utcTimestamp(clock());
        await Promise.all(here.map((doc) => doc.ref.update({ state: how, ended_at })));
      });
    },
  });
}

/** Ignores that the document exists: another worker was faster, or the answer to an earlier attempt was lost. */
async function createOnce(doc: DocumentReference, record: UnreadableBatchRecord): Promise<void> {
  try {
    await doc.create(record);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

function recordOf(group: string, place: Place, batch: Batch, now: Instant): UnreadableBatchRecord {
  const { header } = batch;
  return {
    group,
    topic: place.topic,
    partition: place.partition,
    offset: batch.offset.toString(),
    last_offset: batch.lastOffset?.toString() ?? null,
    reason: batch.reason,
    header:
      header === undefined
        ? null
        : {
            base_offset: header.baseOffset.toString(),
            bytes: header.bytes,
            magic: header.magic,
            codec: header.codec,
            crc: header.crc,
            records: header.records,
            first_timestamp: header.firstTimestamp,
            max_timestamp: header.maxTimestamp,
          },
    found_at: utcTimestamp(now),
    state: 'standing',
    pass_to: null,
    decided_at: null,
    ended_at: null,
  };
}

/** All unreadable batches that the group has found. */
export function knownQuery(db: Firestore, group: string): Query {
  return batches(db).where('group', '==', group);
}

/** The unreadable batches at which partitions of the group are stopped. */
export function standingQuery(db: Firestore, group: string): Query {
  return batches(db).where('group', '==', group).where('state', '==', 'standing');
}

/** The unreadable batches at which partitions of the group are stopped. @throws ServiceError `store.unavailable` */
export async function standingBatches(db: Firestore, group: string): Promise<UnreadableBatchRecord[]> {
  const { docs } = await translated(() => standingQuery(db, group).get());
  return docs.map((doc) => doc.data() as UnreadableBatchRecord);
}

/** All unreadable batches of the group, including those passed over. @throws ServiceError `store.unavailable` */
export async function knownBatches(db: Firestore, group: string): Promise<UnreadableBatchRecord[]> {
  const { docs } = await translated(() => knownQuery(db, group).get());
  return docs.map((doc) => doc.data() as UnreadableBatchRecord);
}

/**
 * Stores the decision to pass over the batch: the worker does so within seconds.
 * @returns false when the partition is no longer stopped there
 * @throws ServiceError `store.*`
 */
export async function decideToPass(
  db: Firestore,
  batch: Pick<UnreadableBatchRecord, 'group' | 'topic' | 'partition' | 'offset'>,
  to: bigint,
  at: Instant,
): Promise<boolean> {
  const { docs } = await translated(() => standingQuery(db, batch.group).get());
  const keys = ['topic', 'partition', 'offset'] as const;
  const doc = docs.find((doc) => keys.every((key) => doc.get(key) === batch[key]));
  if (doc === undefined) return false;
  const decision = { pass_to: to.toString(), decided_at: utcTimestamp(at) };
  try {
    await translated(() => doc.ref.update(decision, { lastUpdateTime: doc.updateTime }));
    return true;
  } catch (error) {
    if (!isPreconditionLost(error)) throw error;
    // The client retries a write whose answer was lost: the decision may already be stored.
    const now = (await translated(() => doc.ref.get())).data() as UnreadableBatchRecord | undefined;
    return now?.state === 'standing' && now.pass_to === decision.pass_to;
  }
}
