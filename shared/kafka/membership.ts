/**
 * One membership of a consumer group, from joining to its end: joins, notices when the client has died silently, and
 * leaves. {@link Assignment} handles the partitions.
 */
import { within } from '../platform/deadline.ts';
import { ServiceError } from '../platform/errors.ts';
import { Assignment, type AssignmentOptions } from './assignment.ts';
import type { Member } from './ports.ts';

/** The current state of a membership. */
export interface MembershipState {
  /** True while it is a member of the group. */
  readonly connected: boolean;
  /** When a fetch last returned or the group was last joined, in milliseconds since the epoch; undefined before. */
  readonly lastPollAt: number | undefined;
  readonly assigned: readonly number[];
  /** Partitions in which a message waits for a transient fault to pass. */
  readonly waiting: readonly number[];
}

/** A member that has not polled for this long is replaced: kafkajs may have died silently. */
const SILENT_AFTER_MS = 90_000;
const LOOK_EVERY_MS = 5_000;
const LEAVE_WITHIN_MS = 2_500;

/** Starts to join when it is created. It ends once; to join again, create a new one. */
export class Membership {
  private readonly over = Promise.withResolvers<unknown>();
  private readonly assignment: Assignment;
  private readonly member: Promise<Member>;
  private readonly watchdog: NodeJS.Timeout;
  private joined: Member | undefined;
  private lastPollAt: number | undefined;

  constructor(options: AssignmentOptions) {
    const { client, topic, group } = options;
    this.assignment = new Assignment(options, { joining: () => this.member, joined: () => this.joined });
    this.member = client.join(topic, group, {
      assigned: (partitions) => this.assignment.assign(partitions),
      lost: () => this.assignment.retire(),
      fetched: (partition, fetched) => this.assignment.take(partition, fetched),
      outOfRange: (partition) => this.assignment.outOfRange(partition),
      polled: () => (this.lastPollAt = Date.now()),
      ended: this.over.resolve,
    });
    const enter = (member: Member) => {
      this.joined = member;
      // Start the time again: the previous member's polls must not count for this one.
      this.lastPollAt = Date.now();
    };
    this.member.then(enter, this.over.resolve);
    this.watchdog = setInterval(() => this.watch(), LOOK_EVERY_MS);
  }

  /** Resolves with the reason when the membership is over, by itself or by {@link stop}. */
  get ended(): Promise<unknown> {
    return this.over.promise;
  }

  get state(): MembershipState {
    const { partitions, waiting } = this.assignment;
    return {
      connected: this.joined !== undefined,
      lastPollAt: this.lastPollAt,
      assigned: partitions,
      waiting,
    };
  }

  stop(): void {
    this.over.resolve(undefined);
  }

  /** Finishes the messages being processed, commits and leaves the group, each within its time limit. */
  async end(): Promise<void> {
    clearInterval(this.watchdog);
    await this.assignment.end();
    const left = this.member.then((member) => member.leave()).catch(() => undefined);
    await within(LEAVE_WITHIN_MS, left, () => undefined);
  }

  private watch(): void {
    if (this.joined === undefined || this.lastPollAt === undefined) return;
    if (Date.now() - this.lastPollAt > SILENT_AFTER_MS) {
      this.over.resolve(
        new ServiceError('kafka.unavailable', { detail: 'The consumer has stopped polling' }),
      );
    }
  }
}
