/** Checks what the worker reports about Kafka: whether it is reachable, and what is waiting in the consumed topics. */
import type { Instant } from '../../../shared/platform/clock.ts';
import type { GroupStatus, WorkerStatus } from '../../../shared/store/worker-status.ts';
import type { Facts } from '../facts.ts';
import { faultOf, valueOf } from '../reading.ts';
import { degraded, secondsSince, unanswered, verdict, type Check } from './check.ts';

/** The worker reports every 10 s, so it has missed two reports. */
const WORKER_SILENT_SECONDS = 30;
/** Acceptable number of waiting messages. The alert on consumer lag has the same limit. */
export const LAG = 1000;
/** How long a partition's committed offset may stay the same while messages are waiting. */
const STANDING_SECONDS = 120;

/** As `/health` answers it; null: not known. */
export type KafkaCheck = Check<{
  readonly reachable: boolean | null;
  /** Messages of all groups that are not applied yet; null when one group's number is unknown. */
  readonly consumer_lag: number | null;
  readonly groups: readonly GroupStatus[];
  readonly dead_letters: number | null;
  /** Partitions with waiting messages whose committed offset has not moved for 2 minutes. */
  readonly standing_partitions: number | null;
  /** Batches that no worker can read. */
  readonly unreadable_batches: number | null;
  /** Age of the worker's report. */
  readonly reported_seconds_ago: number | null;
}>;

/** Degraded at worst: imports and requests go on without Kafka. */
export function judgeKafka({ worker, now }: Facts): KafkaCheck {
  const reported = valueOf(worker);
  const age = reported === undefined ? null : secondsSince(reported.written_at, now);
  const silent = age !== null && age > WORKER_SILENT_SECONDS;
  const lags = reported?.groups.map(({ lag }) => lag) ?? [null];
  const lag = lags.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0);
  const standing = standingPartitions(reported, now);
  const unreadable = reported?.unreadable;
  // If the worker or Kafka is down, that is already a reason. Then missing figures are not reported in addition.
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
      unanswered('degraded', 'health-unreachable', "the worker's status could not be read", faultOf(worker)),
      'value' in worker && reported === undefined
        ? degraded('worker-not-polling', 'no worker has reported its status yet')
        : undefined,
      silent ? degraded('worker-not-polling', `the worker has not reported for ${age} s`) : undefined,
      reported?.kafka_reachable === false
        ? degraded('worker-not-polling', 'the worker does not reach Kafka')
        : undefined,
      lag !== null && lag > LAG
        ? degraded('consumer-lag', `consumed messages not applied yet: ${lag}`)
        : undefined,
      ...(reported?.groups ?? []).map((group) =>
        answers && group.lag === null
          ? degraded('consumer-lag', `the number of waiting messages of ${group.topic} is unknown`)
          : undefined,
      ),
      ...(standing ?? []).map(({ topic, partition, committed, seconds, waiting }) =>
        degraded(
          'standing-partition',
          `partition ${partition} of ${topic} has been stuck at offset ${committed ?? 'none'} for ${seconds} s, waiting messages: ${waiting}`,
        ),
      ),
      ...(unreadable ?? []).map(({ topic, partition, offset, reason }) =>
        degraded(
          'unreadable-batch',
          `partition ${partition} of ${topic} is stuck at offset ${offset} because a batch cannot be read: ${reason}`,
        ),
      ),
      answers && unreadable === null
        ? degraded('unreadable-batch', 'it is unknown whether there are unreadable batches')
        : undefined,
      (reported?.dead_letters ?? 0) > 0
        ? degraded('dead-letters', `dead letters waiting for an operator: ${reported?.dead_letters}`)
        : undefined,
      answers && reported.dead_letters === null
        ? degraded('dead-letters', 'the number of waiting dead letters is unknown')
        : undefined,
    ],
  );
}

/** Partitions with waiting messages whose committed offset has not moved for longer than the limit. */
function standingPartitions(reported: WorkerStatus | undefined, now: Instant) {
  return reported?.groups.flatMap(({ topic, partitions }) =>
    partitions.flatMap(({ partition, committed, lag, waiting_since }) => {
      const seconds = waiting_since === null ? 0 : secondsSince(waiting_since, now);
      return seconds > STANDING_SECONDS ? [{ topic, partition, committed, seconds, waiting: lag }] : [];
    }),
  );
}
