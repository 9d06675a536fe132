/**
 * Reads what one fetch returned for a partition, batch by batch: the messages to apply, the next offset, and the batch
 * that cannot be read, if there is one. Control batches and aborted transactions (KIP-98) are skipped silently.
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
  /** The requested offset: batches may begin before it. */
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

/** The records read from a fetch. */
export interface RecordSet {
  readonly records: readonly BatchRecord[];
  /** The next offset to fetch. Offsets before it that are not in `records` hold no message. */
  readonly next: bigint;
  /** The batch at `next` when it cannot be read. */
  readonly unreadable: UnreadableBatch | undefined;
}

/** A batch that cannot be read. If it is damaged, its header may be wrong too. */
export interface UnreadableBatch {
  readonly reason: UnreadableReason;
  /** The offset at which reading stopped. */
  readonly offset: bigint;
  /** The last offset of the batch; undefined when it cannot be determined reliably. */
  readonly lastOffset: bigint | undefined;
  /** The header, unverified; undefined when there are too few bytes for one. */
  readonly header: BatchHeader | undefined;
}

/** Stop after batches with this many records or unpacked bytes of keys and values; the next fetch reads the rest. */
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
        // Count even a bug of our decoder as this batch's fault: the same loop fetches the other partitions.
        const kind = error instanceof UnpackError ? error.kind : 'malformed';
        return { records, next, unreadable: unreadable(kind, next, header, rest, fetched.end) };
      }
      next = header.lastOffset + 1n;
    }
    rest = rest.subarray(header.bytes);
  }
  return { records, next, unreadable: undefined };
}

/** Says for each batch, in order, whether to skip it: control batches, and batches of aborted transactions. */
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

/** The last offset of an unreadable batch: from its own header if that is intact, else from the batch after it. */
function lastOffset(
  reason: UnreadableReason,
  offset: bigint,
  header: BatchHeader | undefined,
  rest: Buffer,
  end: bigint,
): bigint | undefined {
  if (header === undefined) return undefined;
  const isIntact = reason === 'codec_unknown' || reason === 'malformed' || reason === 'too_large';
  // The broker assigns offsets without gaps: a header that fits the end of the partition is as reliable.
  if ((isIntact || header.lastOffset + 1n === end) && header.lastOffset >= offset) return header.lastOffset;
  if (header.bytes <= 0 || header.bytes >= rest.length) return undefined;
  const behind = rest.subarray(header.bytes);
  const following = readHeader(behind);
  if (following === undefined || faultOfBatch(following, behind) !== undefined) return undefined;
  return following.baseOffset > offset ? following.baseOffset - 1n : undefined;
}
