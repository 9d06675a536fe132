/** What the worker says of Kafka: whether it is reached, and what waits in the consumed topics. */
import type { Instant } from '../../../shared/platform/clock.ts';
import type { GroupStatus, WorkerStatus } from '../../../shared/store/worker-status.ts';
import type { Facts } from '../facts.ts';
import { faultOf, valueOf } from '../reading.ts';
import { degraded, secondsSince, unanswered, verdict, type Check } from './check.ts';

/** The worker reports every 10 s. */
const WORKER_SILENT_SECONDS = 30;
/** Messages that may wait; the alert on consumer lag fires above it too. */
export const LAG = 1000;
/** How long a partition's committed offset may stand still while messages wait. */
const STANDING_SECONDS = 120;

export type KafkaCheck = Check<{
  readonly reachable: boolean | null;
  /** Messages of all groups that are not applied yet. */
  readonly consumer_lag: number | null;
  readonly groups: readonly GroupStatus[];
  readonly dead_letters: number | null;
  /** Partitions in which messages wait and the committed offset has stood still for 2 minutes. */
  readonly standing_partitions: number | null;
  /** Batches that no worker can read. */
  readonly unreadable_batches: number | null;
  /** Age of the worker's status document. */
  readonly reported_seconds_ago: number | null;
}>;

export function judgeKafka({ worker, now }: Facts): KafkaCheck {
  const reported = valueOf(worker);
  const age = reported === undefined ? null : secondsSince(reported.written_at, now);
  const silent = age !== null && age > WORKER_SILENT_SECONDS;
  const lags = reported?.groups.map(({ lag }) => lag) ?? [null];
  const lag = lags.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0);
  const standing = standingPartitions(reported, now);
  const unreadable = reported?.unreadable;
  // Figures that are missing because the worker or Kafka is away have that reason already.
  const answers = reported?.kafka_reachable === true && !silent;
  return verdict(
    {
      reachable: reported === undefined || silent ? null : reported.kafka_reachable,
      consumer_lag: lag,
      groups: reported?.groups ?? [],
      dead_letters: reported?.dead_letters ?? null,
      standing_partitions: standing?.length ?? null,
      unreadable_batches: unreadable?.length ?? null,
      reported_seconds_ago: age,
    },
    [
      unanswered('degraded', "the worker's status could not be read", faultOf(worker)),
      'value' in worker && reported === undefined
        ? degraded('no worker has reported its status yet')
        : undefined,
      silent ? degraded(`the worker has not reported for ${age} s`) : undefined,
      reported?.kafka_reachable === false ? degraded('the worker does not reach Kafka') : undefined,
      lag !== null && lag > LAG ? degraded(`consumed messages that are not applied yet: ${lag}`) : undefined,
      ...(reported?.groups ?? []).map((group) =>
        answers && group.lag === null
          ? degraded(`it is not known how many messages of ${group.topic} wait`)
          : undefined,
      ),
      ...(standing ?? []).map(({ topic, partition, committed, seconds, waiting }) =>
        degraded(
          `partition ${partition} of ${topic} has stood at offset ${committed ?? 'none'} for ${seconds} s while messages wait: ${waiting}`,
        ),
      ),
      ...(unreadable ?? []).map(({ topic, partition, offset, reason }) =>
        degraded(
          `partition ${partition} of ${topic} stands at offset ${offset} before a batch that cannot be read: ${reason}`,
        ),
      ),
      answers && unreadable === null ? degraded('it is not known whether batches cannot be read') : undefined,
      (reported?.dead_letters ?? 0) > 0
        ? degraded(`dead letters that wait for an operator: ${reported?.dead_letters}`)
        : undefined,
      answers && reported.dead_letters === null
        ? degraded('it is not known how many dead letters wait for an operator')
        : undefined,
    ],
  );
}

/** The partitions whose committed offset has stood still for longer than allowed while messages waited. */
function standingPartitions(reported: WorkerStatus | undefined, now: Instant) {
  return reported?.groups.flatMap(({ topic, partitions }) =>
    partitions.flatMap(({ partition, committed, lag, waiting_since }) => {
      const seconds = waiting_since === null ? 0 : secondsSince(waiting_since, now);
      return seconds > STANDING_SECONDS ? [{ topic, partition, committed, seconds, waiting: lag }] : [];
    }),
  );
}
