/**
 * What one fetch returned for a partition, batch by batch: the messages to apply, how far that reaches, and the batch
 * that cannot be read, if there is one. Control batches and aborted transactions (KIP-98) are passed over silently.
 */
import { UnpackError } from './bytes.ts';
import {
  faultOfBatch,
  readHeader,
  readRecords,
  type BatchHeader,
  type BatchRecord,
  type UnreadableReason,
} from './record-batch.ts';

/** The bytes that a fetch returned for one partition, and what the broker said about them. */
export interface FetchedRecords {
  readonly bytes: Buffer;
  /** The offset that was asked for: batches may begin before it. */
  readonly from: bigint;
  /** The partition's next offset. */
  readonly end: bigint;
  readonly aborted: readonly AbortedTransaction[];
}

/** A transaction whose messages from `firstOffset` on must not be applied. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What was read of a fetch. */
export interface RecordSet {
  readonly records: readonly BatchRecord[];
  /** Everything before it is in `records` or has no message. */
  readonly next: bigint;
  /** Stands at `next`. */
  readonly unreadable: UnreadableBatch | undefined;
}

/** A batch that cannot be read. Of a damaged one the header may be wrong too. */
export interface UnreadableBatch {
  readonly reason: UnreadableReason;
  /** Where the reader stands. */
  readonly offset: bigint;
  /** The last offset of the batch; undefined where nothing says it credibly. */
  readonly lastOffset: bigint | undefined;
  /** What the header says, where there is one. */
  readonly header: BatchHeader | undefined;
}

/** Batches are left to the next fetch once they have unpacked to this many records or bytes of keys and values. */
const ENOUGH = { records: 20_000, bytes: 4 * 1024 * 1024 };

/**
 * Reads batches until the bytes end, a batch cannot be read, or enough is unpacked. It never throws for bad bytes.
 */
export async function readRecordSet(fetched: FetchedRecords): Promise<RecordSet> {
  const records: BatchRecord[] = [];
  const isAborted = abortedBatches(fetched.aborted);
  let next = fetched.from;
  let rest = fetched.bytes;
  let unpacked = 0;
  while (rest.length > 0 && records.length < ENOUGH.records && unpacked < ENOUGH.bytes) {
    const header = readHeader(rest);
    const fault = faultOfBatch(header, rest);
    // A fetch is cut at its size, but never in its first batch (KIP-74).
    if (fault === 'cut_short' && rest !== fetched.bytes) break;
    if (fault !== undefined || header === undefined) {
      return { records, next, unreadable: unreadable(fault ?? 'cut_short', next, header, rest, fetched.end) };
    }
    const batch = rest.subarray(0, header.bytes);
    if (header.lastOffset >= next) {
      try {
        for (const record of (await isAborted(header, batch)) ? [] : await readRecords(header, batch)) {
          if (record.offset < next) continue;
          records.push(record);
          unpacked += (record.key?.length ?? 0) + (record.value?.length ?? 0);
        }
      } catch (error) {
        // Even a fault of our decoder is the batch's alone: the other partitions are fetched through the same loop.
        const kind = error instanceof UnpackError ? error.kind : 'malformed';
        return { records, next, unreadable: unreadable(kind, next, header, rest, fetched.end) };
      }
      next = header.lastOffset + 1n;
    }
    rest = rest.subarray(header.bytes);
  }
  return { records, next, unreadable: undefined };
}

/** Tells, batch by batch in order, which hold nothing to apply: control batches, and those of aborted transactions. */
function abortedBatches(transactions: readonly AbortedTransaction[]) {
  const coming = transactions.toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  const current = new Set<bigint>();
  return async (header: BatchHeader, batch: Buffer): Promise<boolean> => {
    while (coming[0] !== undefined && coming[0].firstOffset <= header.lastOffset) {
      current.add(coming[0].producerId);
      coming.shift();
    }
    if (!header.isControl) return header.isTransactional && current.has(header.producerId);
    // Commit or abort: the transaction ends here.
    if (current.has(header.producerId) && (await readRecords(header, batch)).some(isAbortMarker)) {
      current.delete(header.producerId);
    }
    return true;
  };
}

/** A control record's key is its version and its type; 0 aborts. */
function isAbortMarker({ key }: BatchRecord): boolean {
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}

function unreadable(
  reason: UnreadableReason,
  offset: bigint,
  header: BatchHeader | undefined,
  rest: Buffer,
  end: bigint,
): UnreadableBatch {
  return { reason, offset, lastOffset: lastOffset(reason, offset, header, rest, end), header };
}

/** The last offset of a batch that cannot be read: by its own header where that is intact, else by the batch behind it. */
function lastOffset(
  reason: UnreadableReason,
  offset: bigint,
  header: BatchHeader | undefined,
  rest: Buffer,
  end: bigint,
): bigint | undefined {
  if (header === undefined) return undefined;
  const isIntact = reason === 'codec_unknown' || reason === 'malformed' || reason === 'too_large';
  // The broker gives out offsets one by one: a header that fits the end of the partition is as good.
  if ((isIntact || header.lastOffset + 1n === end) && header.lastOffset >= offset) return header.lastOffset;
  if (header.bytes <= 0 || header.bytes >= rest.length) return undefined;
  const behind = rest.subarray(header.bytes);
  const following = readHeader(behind);
  if (following === undefined || faultOfBatch(following, behind) !== undefined) return undefined;
  return following.baseOffset > offset ? following.baseOffset - 1n : undefined;
}
