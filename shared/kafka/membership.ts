/**
 * One membership of a consumer group, from joining to its end: opens the assigned partitions at their positions, hands
 * fetched messages to the work on them, and commits how far each is done.
 */
import { within } from '../platform/deadline.ts';
import { ServiceError } from '../platform/errors.ts';
import { errorFields, type Log } from '../platform/log.ts';
import { measure } from '../platform/metrics.ts';
import { delayAfter, pauseFor, type BackoffRange } from './backoff.ts';
import { failureOf } from './failure.ts';
import { reportFault } from './fault.ts';
import { FetchGate } from './fetch-gate.ts';
import type { InFlight, Marker } from './in-flight.ts';
import { OffsetCommits } from './offset-commits.ts';
import { PartitionWork, type Failure } from './partition-work.ts';
import type { Admin, Fetched, IncomingMessage, KafkaClient, Member } from './ports.ts';
import { decidePosition, type Position } from './position.ts';
import type { UnreadableBatch } from './record-set.ts';
import { Standing, type UnreadableNotes } from './unreadable.ts';

export interface MembershipOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  readonly group: string;
  readonly handle: (message: IncomingMessage) => Promise<void>;
  readonly deadLetter: (message: IncomingMessage, failure: Failure) => Promise<void>;
  readonly inFlight: InFlight;
  readonly unreadable: UnreadableNotes;
  readonly log: Log;
  /** Messages in work at once, in each partition. */
  readonly concurrency: number;
  readonly maxMessageBytes: number;
  readonly backoff: BackoffRange;
  /** How often a partition that stands before an unreadable batch is looked at again. */
  readonly standingMs: number;
  /** How long the end waits for what is in work. */
  readonly finishWithinMs: number;
}

export interface MembershipState {
  /** Member of the group at present. */
  readonly connected: boolean;
  /** When a fetch last came back, or the group was joined since, in milliseconds since the epoch; undefined before. */
  readonly lastPollAt: number | undefined;
  readonly assigned: readonly number[];
  /** Partitions in which a message waits for a transient fault to pass. */
  readonly waiting: readonly number[];
}

/** A partition with more than this taken over and not done is not fetched further. */
const BUFFER_BYTES = 1024 * 1024;
/** A member that has not polled for so long is replaced: kafkajs may have died without a word. */
const SILENT_AFTER_MS = 90_000;
const LEAVE_WITHIN_MS = 2_500;
/** A broker that has refused a position may need a moment to know better. */
const REOPEN_AFTER_MS = 500;
/** Partitions that were assigned and do not exist are looked for this often. */
const LOOK_AGAIN_MS = 15_000;
/** On shutdown, stop waiting at the deadline. */
const giveUp = () => undefined;

export class Membership {
  private readonly options: MembershipOptions;
  private readonly over = Promise.withResolvers<unknown>();
  private readonly ending = new AbortController();
  private readonly works = new Map<number, PartitionWork>();
  private readonly gate: FetchGate;
  private readonly commits: OffsetCommits;
  private readonly standing: Standing;
  private readonly member: Promise<Member>;
  private readonly watchdog: NodeJS.Timeout;
  private joined: Member | undefined;
  private admin: Promise<Admin> | undefined;
  private lastPollAt: number | undefined;
  private assigned: readonly number[] = [];
  /** The topic that the open partitions are of. */
  private topicId: string | undefined;
  /** Counts the assignments: what belongs to an earlier one is not begun any more. */
  private epoch = 0;
  /** Settles when the work of earlier assignments has ended. */
  private retired: Promise<unknown> = Promise.resolve();
  /** `leaving`: no partition is opened any more. `gone`: work that ends now changes nothing any more. */
  private stage: 'member' | 'leaving' | 'gone' = 'member';

  constructor(options: MembershipOptions) {
    const { client, topic, group, log } = options;
    this.options = options;
    this.gate = new FetchGate(
      (partition) => this.joined?.pause(partition),
      (partition) => this.joined?.resume(partition),
    );
    this.commits = new OffsetCommits(
      async (offsets) => this.joined?.commit(offsets, this.topicId),
      (error) =>
        log.info('Offsets were not committed, their messages may come again', {
          topic,
          group,
          ...errorFields(error),
        }),
    );
    this.standing = new Standing({ topic, notes: options.unreadable, log, everyMs: options.standingMs });
    this.member = client.join(topic, group, {
      assigned: (partitions) => {
        if (this.stage === 'member') this.assign(partitions);
      },
      lost: () => this.retire(),
      fetched: (partition, fetched) => this.take(partition, fetched),
      outOfRange: (partition) => {
        if (this.works.has(partition)) this.reopen();
      },
      polled: () => (this.lastPollAt = Date.now()),
      ended: this.over.resolve,
    });
    const enter = (member: Member) => {
      this.joined = member;
      // A member is not judged by the polls of the one before it.
      this.lastPollAt = Date.now();
    };
    this.member.then(enter, this.over.resolve);
    this.watchdog = setInterval(() => this.watch(), 5_000);
  }

  /** Resolves with the reason when the membership is over, by itself or by {@link stop}. */
  get ended(): Promise<unknown> {
    return this.over.promise;
  }

  get state(): MembershipState {
    const waiting = [...this.works].filter(([, work]) => work.isWaiting);
    return {
      connected: this.joined !== undefined,
      lastPollAt: this.lastPollAt,
      assigned: this.assigned,
      waiting: waiting.map(([partition]) => partition),
    };
  }

  stop(): void {
    this.over.resolve(undefined);
  }

  /** Finishes what is in work, commits and leaves the group, each within its time. */
  async end(): Promise<void> {
    clearInterval(this.watchdog);
    this.stage = 'leaving';
    this.ending.abort();
    const held = [...this.works];
    this.retire();
    await within(this.options.finishWithinMs, this.retired, giveUp);
    this.stage = 'gone';
    const lowered = Promise.allSettled(held.map(([partition, work]) => this.lower(partition, work)));
    await within(LEAVE_WITHIN_MS, Promise.all([this.commits.flush(), lowered]), giveUp);
    this.commits.cancel();
    this.closeAdmin();
    const left = this.member.then((member) => member.leave()).catch(() => undefined);
    await within(LEAVE_WITHIN_MS, left, giveUp);
  }

  private watch(): void {
    if (this.joined === undefined || this.lastPollAt === undefined) return;
    if (Date.now() - this.lastPollAt > SILENT_AFTER_MS) {
      this.over.resolve(
        new ServiceError('kafka.unavailable', { detail: 'The consumer has stopped polling' }),
      );
    }
  }

  private assign(partitions: readonly number[]): void {
    this.retire();
    this.assigned = partitions;
    this.gate.restart(partitions);
    void this.open(this.epoch, partitions);
  }

  /** Decides the positions anew, when the broker or the topic has made them wrong. */
  private reopen(): void {
    if (this.stage !== 'member') return;
    const partitions = this.assigned;
    this.retire();
    this.assigned = partitions;
    this.gate.restart(partitions);
    const mine = this.epoch;
    void pauseFor(REOPEN_AFTER_MS, this.ending.signal).then(() => this.open(mine, partitions));
  }

  /** Begins nothing more in the partitions held so far: they may be another member's in a moment. */
  private retire(): void {
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

  /** Starts the partitions at their positions, as soon as what was in work before has ended. */
  private async open(mine: number, partitions: readonly number[]): Promise<void> {
    const { topic, group, log, backoff } = this.options;
    const isOver = () => mine !== this.epoch || this.stage !== 'member';
    for (let attempt = 1; !isOver(); attempt += 1) {
      try {
        const member = await this.member;
        await this.retired;
        this.commits.keep(this.assigned);
        await this.commits.flush();
        const facts = await this.lookUp(partitions);
        if (isOver()) return;
        this.topicId = facts.topicId;
        for (const { partition, position, isStored, left } of facts.found) {
          if (isStored) this.commits.forget(partition);
          else this.commits.note(partition, position.start);
          this.report(partition, position);
          const isJump = position.why === 'recreated' || position.why === 'truncated';
          // The marker speaks of the messages that had these offsets before.
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
        this.closeAdmin();
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

  /** What decides the positions of those partitions that exist. */
  private async lookUp(partitions: readonly number[]) {
    const { client, topic, group, inFlight } = this.options;
    this.admin ??= client.admin();
    const admin = await this.admin;
    const [ranges, stored, topicId, left] = await Promise.all([
      admin.ranges(topic),
      admin.committed(group, topic),
      admin.topicId(topic),
      Promise.all(partitions.map((partition) => inFlight.left({ topic, partition }))),
    ]);
    const found = partitions.flatMap((partition, index) => {
      const range = ranges.get(partition);
      if (range === undefined) return [];
      const committed = stored.get(partition);
      const position = decidePosition({ committed, range, topicId });
      const isStored = committed?.offset === position.start && committed.topicId === topicId;
      return [{ partition, position, isStored, left: left[index] }];
    });
    return { topicId, found };
  }

  private report(partition: number, { start, why, missing }: Position): void {
    const { topic, log } = this.options;
    if (why === 'continued' || why === 'first') return;
    void this.standing.jumped(partition);
    log.error('The position of a partition has jumped', {
      topic,
      partition,
      reason: why,
      offset: start.toString(),
      count: Number(missing),
    });
    if (missing > 0n) measure(log, 'offsets_missing', { topic }, Number(missing));
  }

  private workOn(partition: number, start: bigint, left: Marker | undefined): PartitionWork {
    const { options, epoch } = this;
    const at = { topic: options.topic, partition };
    if (left !== undefined) {
      options.log.warn(
        'A process ended while it worked on this partition: its messages are tried one by one',
        at,
      );
    }
    return new PartitionWork({
      start,
      left,
      laneOf,
      concurrency: options.concurrency,
      maxMessageBytes: options.maxMessageBytes,
      backoff: options.backoff,
      handle: options.handle,
      deadLetter: options.deadLetter,
      raise: (marker) => options.inFlight.raise(at, marker),
      try: (offset, work) => options.inFlight.try(at, offset, work),
      onProgress: (next) => {
        // An offset of an earlier assignment is committed too while the partition stays here, see open().
        if (epoch !== this.epoch && !this.assigned.includes(partition)) return;
        this.commits.note(partition, next);
        this.throttle(partition);
      },
      log: options.log,
    });
  }

  private take(partition: number, fetched: Fetched): boolean {
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

  /** Fetches the partition again in a while, or behind the batch when an operator has decided so. */
  private async stand(partition: number, batch: UnreadableBatch): Promise<void> {
    const mine = this.epoch;
    this.gate.hold(partition, 'unreadable');
    const next = await this.standing.wait(partition, batch, this.ending.signal);
    const work = this.works.get(partition);
    if (mine !== this.epoch || work === undefined) return;
    if (next !== undefined && work.accept([], next)) {
      this.joined?.seek(partition, next);
      await this.standing.passed(partition, next);
    }
    if (mine === this.epoch) this.gate.release(partition, 'unreadable');
  }

  /** Stops fetching a partition that has enough in hand, and starts it again when half is done. */
  private throttle(partition: number): void {
    const bytes = this.works.get(partition)?.bufferedBytes ?? 0;
    if (bytes > BUFFER_BYTES) this.gate.hold(partition, 'full');
    else if (bytes < BUFFER_BYTES / 2) this.gate.release(partition, 'full');
  }

  private closeAdmin(): void {
    void this.admin?.then((admin) => admin.close()).catch(() => undefined);
    this.admin = undefined;
  }
}

/** The key orders. A message without one keeps its place in the partition: it may concern what any other does. */
function laneOf({ key }: IncomingMessage): string | undefined {
  return key?.toString('latin1');
}
