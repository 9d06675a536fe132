/**
 * The partitions that a member of a consumer group holds. Opens them at their positions, passes fetched messages on to be
 * processed, and commits the offsets of what is done.
 */
import { within } from '../platform/deadline.ts';
import { errorFields } from '../platform/log.ts';
import { delayAfter, pauseFor } from '../platform/backoff.ts';
import { beginWork, type WorkOptions } from './begin-work.ts';
import { failureOf } from './failure.ts';
import { reportFault } from './fault.ts';
import { FetchGate } from './fetch-gate.ts';
import type { Marker } from '../platform/in-flight.ts';
import { OffsetCommits } from './offset-commits.ts';
import type { PartitionWork } from './partition-work.ts';
import type { Fetched, KafkaClient, Member } from './ports.ts';
import type { UnreadableBatch } from './record-set.ts';
import { StartPositions } from './start-positions.ts';
import { Standing, type UnreadableNotes } from './unreadable.ts';

/** What an {@link Assignment} needs. Times are in milliseconds. */
export interface AssignmentOptions extends WorkOptions {
  readonly client: KafkaClient;
  readonly group: string;
  readonly unreadable: UnreadableNotes;
  /** A partition that is stopped at an unreadable batch is fetched again this often. */
  readonly standingMs: number;
  /** How long {@link Assignment.end} waits for messages that are being processed. */
  readonly finishWithinMs: number;
}

/** The member that holds the partitions. */
interface Holder {
  /** Resolves once the member has joined the group. */
  joining(): Promise<Member>;
  /** The member; undefined until it has joined. */
  joined(): Member | undefined;
}

/** A partition with more than this many bytes of unfinished messages is not fetched further. */
const BUFFER_BYTES = 1024 * 1024;
/** Releasing the partitions waits this long for the last commit. */
const COMMIT_WITHIN_MS = 2_500;
/** Wait before asking again: a broker that refused a position may have had outdated metadata. */
const REOPEN_AFTER_MS = 500;
/** Look this often for assigned partitions that do not exist yet. */
const LOOK_AGAIN_MS = 15_000;
/** On shutdown, stop waiting at the deadline. */
const giveUp = () => undefined;

/** The partitions that one member of a group holds between two rebalances, and the work on them. */
export class Assignment {
  private readonly options: AssignmentOptions;
  private readonly holder: Holder;
  private readonly ending = new AbortController();
  private readonly works = new Map<number, PartitionWork>();
  private readonly gate: FetchGate;
  private readonly commits: OffsetCommits;
  private readonly standing: Standing;
  private readonly positions: StartPositions;
  private assigned: readonly number[] = [];
  /** The id of the topic that the open partitions belong to. */
  private topicId: string | undefined;
  /** Number of the current assignment: work of an earlier one is not started. */
  private epoch = 0;
  /** Settles when the work of earlier assignments has ended. */
  private retired: Promise<unknown> = Promise.resolve();
  /** `leaving`: no more partitions are opened. `gone`: work that ends now has no further effect. */
  private stage: 'member' | 'leaving' | 'gone' = 'member';

  constructor(options: AssignmentOptions, holder: Holder) {
    const { topic, group, log } = options;
    this.options = options;
    this.holder = holder;
    this.positions = new StartPositions(options);
    this.gate = new FetchGate(
      (partition) => holder.joined()?.pause(partition),
      (partition) => holder.joined()?.resume(partition),
    );
    this.commits = new OffsetCommits(
      async (offsets) => holder.joined()?.commit(offsets, this.topicId),
      (error) =>
        log.info('Offsets were not committed, their messages may come again', {
          topic,
          group,
          ...errorFields(error),
        }),
    );
    this.standing = new Standing({ topic, notes: options.unreadable, log, everyMs: options.standingMs });
  }

  get partitions(): readonly number[] {
    return this.assigned;
  }

  /** Partitions in which a message waits for a transient fault to pass. */
  get waiting(): readonly number[] {
    return [...this.works].filter(([, work]) => work.isWaiting).map(([partition]) => partition);
  }

  /** Opens no more partitions; finishes the messages being processed and commits, each within its time limit. */
  async end(): Promise<void> {
    this.stage = 'leaving';
    this.ending.abort();
    const held = [...this.works];
    this.retire();
    await within(this.options.finishWithinMs, this.retired, giveUp);
    this.stage = 'gone';
    const lowered = Promise.allSettled(held.map(([partition, work]) => this.lower(partition, work)));
    await within(COMMIT_WITHIN_MS, Promise.all([this.commits.flush(), lowered]), giveUp);
    this.commits.cancel();
    this.positions.close();
  }

  /** Sets the partitions that the member holds until the next call or {@link retire}. */
  assign(partitions: readonly number[]): void {
    if (this.stage !== 'member') return;
    this.retire();
    this.assigned = partitions;
    this.gate.restart(partitions);
    void this.open(this.epoch, partitions);
  }

  /** Called when the broker has refused the position of a partition. */
  outOfRange(partition: number): void {
    if (this.works.has(partition)) this.reopen();
  }

  /** Decides the positions again when the broker refused one or the topic was recreated. */
  private reopen(): void {
    if (this.stage !== 'member') return;
    const partitions = this.assigned;
    this.retire();
    this.assigned = partitions;
    this.gate.restart(partitions);
    const mine = this.epoch;
    void pauseFor(REOPEN_AFTER_MS, this.ending.signal).then(() => this.open(mine, partitions));
  }

  /** Starts no more messages of the current partitions: another member may take them over at any moment. */
  retire(): void {
    this.epoch += 1;
    const held = [...this.works];
    this.works.clear();
    this.assigned = [];
    const released = held.map(([partition, work]) => this.release(partition, work));
    this.retired = Promise.allSettled([this.retired, ...released]);
    void this.commits.flush();
  }

  private async release(partition: number, work: PartitionWork): Promise<void> {
    await work.close();
    if (this.stage === 'gone') return;
    if (!this.assigned.includes(partition) || work.suspicion !== undefined) await this.lower(partition, work);
  }

  private lower(partition: number, work: PartitionWork): Promise<void> {
    return this.options.inFlight.lower({ topic: this.options.topic, partition }, work.suspicion);
  }

  /** Opens the partitions at their positions once the work of earlier assignments has ended. */
  private async open(mine: number, partitions: readonly number[]): Promise<void> {
    const { topic, group, log, backoff } = this.options;
    const isOver = () => mine !== this.epoch || this.stage !== 'member';
    for (let attempt = 1; !isOver(); attempt += 1) {
      try {
        const member = await this.holder.joining();
        await this.retired;
        this.commits.keep(this.assigned);
        await this.commits.flush();
        const facts = await this.positions.find(partitions);
        if (isOver()) return;
        this.topicId = facts.topicId;
        for (const { partition, position, isStored, left } of facts.found) {
          if (isStored) this.commits.forget(partition);
          else this.commits.note(partition, position.start);
          void this.standing.positioned(partition, position);
          const isJump = position.why === 'recreated' || position.why === 'truncated';
          // After a jump the marker's offsets refer to other messages, so it is dropped.
          this.works.set(partition, this.workOn(partition, position.start, isJump ? undefined : left));
          member.seek(partition, position.start);
          this.gate.release(partition, 'opening');
        }
        const missing = partitions.filter((partition) => !this.works.has(partition));
        if (missing.length === 0) return;
        await pauseFor(LOOK_AGAIN_MS, this.ending.signal);
        await this.open(mine, missing);
        return;
      } catch (error) {
        if (isOver()) return;
        this.positions.close();
        const delay = delayAfter(attempt, backoff);
        const fields = { topic, group, attempt, delay_ms: Math.round(delay) };
        const failure = failureOf(error, 'internal');
        if (failure.retriable) {
          log.warn('The partitions cannot be started yet', { ...fields, ...errorFields(error) });
        } else {
          reportFault(log, 'The partitions cannot be started, and this is no outage', fields, error);
        }
        await pauseFor(delay, this.ending.signal);
      }
    }
  }

  private workOn(partition: number, start: bigint, left: Marker | undefined): PartitionWork {
    const { options, epoch } = this;
    return beginWork(options, partition, start, left, (next) => {
      // Also commit an offset of an earlier assignment if the partition is still assigned here, see open().
      if (epoch !== this.epoch && !this.assigned.includes(partition)) return;
      this.commits.note(partition, next);
      this.throttle(partition);
    });
  }

  /** Takes over the result of a fetch. @returns false when it must be fetched again */
  take(partition: number, fetched: Fetched): boolean {
    const work = this.works.get(partition);
    if (work === undefined) return false;
    if (fetched.topicId !== undefined && this.topicId !== undefined && fetched.topicId !== this.topicId) {
      this.reopen();
      return false;
    }
    if (!work.accept(fetched.messages, fetched.next)) return false;
    if (fetched.unreadable !== undefined) void this.stand(partition, fetched.unreadable);
    else if (fetched.messages.length > 0) void this.standing.moved(partition);
    this.throttle(partition);
    return true;
  }

  /** Waits at an unreadable batch, then fetches it again or, if an operator decided so, continues after it. */
  private async stand(partition: number, batch: UnreadableBatch): Promise<void> {
    const mine = this.epoch;
    this.gate.hold(partition, 'unreadable');
    const next = await this.standing.wait(partition, batch, this.ending.signal);
    const work = this.works.get(partition);
    if (mine !== this.epoch || work === undefined) return;
    if (next !== undefined && work.accept([], next)) {
      this.holder.joined()?.seek(partition, next);
      await this.standing.passed(partition, next);
    }
    if (mine === this.epoch) this.gate.release(partition, 'unreadable');
  }

  /** Pauses a partition whose buffer is full, and resumes it when the buffer is half empty. */
  private throttle(partition: number): void {
    const bytes = this.works.get(partition)?.bufferedBytes ?? 0;
    if (bytes > BUFFER_BYTES) this.gate.hold(partition, 'full');
    else if (bytes < BUFFER_BYTES / 2) this.gate.release(partition, 'full');
  }
}
