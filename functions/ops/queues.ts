/** `ops outbox status` and `ops lag`: the messages waiting to leave the service, and those waiting to be consumed. */
import { lagOf } from '../../shared/kafka/lag.ts';
import { utcTimestamp } from '../../shared/platform/clock.ts';
import { systemClock } from '../../shared/platform/system-clock.ts';
import { outboxBacklog } from '../../shared/store/outbox-backlog.ts';
import { readWorkerStatus } from '../../shared/store/worker-status.ts';
import { consumedTopics } from '../../shared/kafka/topics.ts';
import type { Context } from './context.ts';
import type { Output } from './output.ts';

export async function outboxStatus(context: Context, output: Output): Promise<void> {
  const db = await context.db();
  const now = systemClock();
  const [backlog, status] = await Promise.all([outboxBacklog(db), readWorkerStatus(db)]);
  const { oldest } = backlog;
  output.fields({
    events: backlog.events,
    mails: backlog.mails,
    oldest_created_at: oldest === undefined ? null : utcTimestamp(oldest),
    oldest_seconds:
      oldest === undefined ? 0 : Math.round((now.epochMilliseconds - oldest.epochMilliseconds) / 1000),
    last_relay_at: status?.last_relay_at ?? null,
    worker_status_at: status?.written_at ?? null,
  });
}

export async function lag(context: Context, output: Output): Promise<void> {
  const admin = await context.admin();
  const { names } = await context.kafka();
  const rows = await Promise.all(
    consumedTopics.map(async (name) => {
      const group = names.groups[name];
      const topic = names.topics[name];
      const partitions = await lagOf(admin, group, topic);
      return partitions.map(({ partition, committed, end, lag }) => [
        group,
        topic,
        partition,
        committed === undefined ? null : String(committed),
        String(end),
        lag,
      ]);
    }),
  );
  output.table(['group', 'topic', 'partition', 'committed', 'end', 'lag'], rows.flat());
}
