import { existsSync } from 'node:fs';
import { fc } from '../../test/support/properties.ts';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import type { FenceFault } from '../../shared/store/fence.ts';
import { utcTimestamp, type UtcTimestamp } from '../../shared/platform/clock.ts';
import type { UnreadableStatus } from '../../shared/store/worker-status.ts';
import type { Facts } from './facts.ts';
import type { Status } from './checks/check.ts';
import { judge } from './verdict.ts';

const now = Temporal.Instant.from('2026-11-02T09:00:00Z');
const ago = (seconds: number) => utcTimestamp(now.subtract({ seconds }));
const limits = { IMPORT_STUCK_AFTER_SECONDS: 900, IMPORT_STORAGE_QUOTA_BYTES: 1000 };
const HANGING = { fault: 'no response within 1 s' };

function group(name: string, topic: string, lag: number | null, waiting_since: UtcTimestamp | null = null) {
  const partitions = [{ partition: 4, committed: '17', lag: lag ?? 0, waiting_since }];
  return { group: name, topic, lag, last_poll_at: ago(1), partitions };
}

const worker = {
  written_at: ago(5),
  kafka_reachable: true,
  groups: [group('comm', 'communication-events', 2), group('therapist', 'therapist-events', 3)],
  unreadable: [] as readonly UnreadableStatus[] | null,
  dead_letters: 0 as number | null,
  last_relay_at: ago(1),
};
const imports = {
  last_success: ago(60),
  last_failure: null as string | null,
  successes_24h: 10,
  failures_24h: 0,
};
const lastRun = {
  taken_at: ago(30),
  bucket: { bytes: 500, measured_at: ago(30), took_ms: 5 },
  retention: null,
};

/** The facts of a healthy service, except for those that the test sets. */
function facts(differing: Partial<Facts> = {}): Facts {
  return {
    now,
    incoming: { value: { files: 0, oldest_seconds: 0 } },
    imports: { value: imports },
    outbox: { value: { entries: 0, oldest_seconds: 0 } },
    worker: { value: worker },
    lastRun: { value: lastRun },
    fence: { value: undefined },
    freeDisk: undefined,
    ...differing,
  };
}

const incoming = (oldest_seconds: number): Partial<Facts> => ({
  incoming: { value: { files: 1, oldest_seconds } },
});
const counted = (successes_24h: number, failures_24h: number): Partial<Facts> => ({
  imports: { value: { ...imports, successes_24h, failures_24h } },
});
const reported = (differing: Partial<typeof worker>): Partial<Facts> => ({
  worker: { value: { ...worker, ...differing } },
});
const filled = (bytes: number): Partial<Facts> => ({
  lastRun: { value: { ...lastRun, bucket: { ...lastRun.bucket, bytes } } },
});
const disk = (value: number): Partial<Facts> => ({ freeDisk: { value } });
const MIB = 1024 * 1024;
const RUNBOOKS = new URL('../../docs/runbooks/', import.meta.url);

type Rule = [situation: string, differing: Partial<Facts>, check: string, status: Status, reason?: string];

const rules: Rule[] = [
  ['a file as old as promised', incoming(900), 'import', 'healthy'],
  [
    'a file older than promised',
    incoming(901),
    'import',
    'unhealthy',
    'a file has been waiting in incoming/ for 901 s, longer than the promised 900 s',
  ],
  ['one failed file of five', counted(4, 1), 'import', 'healthy'],
  ['more than a fifth failed', counted(3, 1), 'import', 'degraded', '1 of 4 files failed in the last 24 h'],
  ['half of six failed', counted(3, 3), 'import', 'degraded'],
  [
    'more than half of five failed',
    counted(2, 3),
    'import',
    'unhealthy',
    '3 of 5 files failed in the last 24 h',
  ],
  ['all of four failed', counted(0, 4), 'import', 'degraded'],
  ['no file in 24 h', counted(0, 0), 'import', 'healthy'],
  [
    'a bucket that hangs',
    { incoming: HANGING },
    'import',
    'unhealthy',
    'incoming/ could not be listed: no response within 1 s',
  ],
  ['import records that hang', { imports: HANGING }, 'import', 'degraded'],
  [
    'an entry of 30 s in the outbox',
    { outbox: { value: { entries: 1, oldest_seconds: 30 } } },
    'outbox',
    'healthy',
  ],
  [
    'an entry of 31 s in the outbox',
    { outbox: { value: { entries: 4, oldest_seconds: 31 } } },
    'outbox',
    'degraded',
    'events or mails waiting to be sent: 4, the oldest for 31 s',
  ],
  ['an outbox that hangs', { outbox: HANGING }, 'outbox', 'degraded'],
  ['a worker that reported 30 s ago', reported({ written_at: ago(30) }), 'kafka', 'healthy'],
  [
    'a silent worker',
    reported({ written_at: ago(31) }),
    'kafka',
    'degraded',
    'the worker has not reported for 31 s',
  ],
  [
    'a worker that never reported',
    { worker: { value: undefined } },
    'kafka',
    'degraded',
    'no worker has reported its status yet',
  ],
  [
    'a worker without Kafka',
    reported({ kafka_reachable: false }),
    'kafka',
    'degraded',
    'the worker does not reach Kafka',
  ],
  [
    'a lag',
    reported({ groups: [{ ...worker.groups[0]!, lag: 1001 }] }),
    'kafka',
    'degraded',
    'consumed messages not applied yet: 1001',
  ],
  [
    'one message that has waited for 120 s',
    reported({ groups: [group('comm', 'communication-events', 1, ago(120))] }),
    'kafka',
    'healthy',
  ],
  [
    'one message that has waited for longer',
    reported({ groups: [group('comm', 'communication-events', 1, ago(121))] }),
    'kafka',
    'degraded',
    'partition 4 of communication-events has been stuck at offset 17 for 121 s, waiting messages: 1',
  ],
  [
    'a batch that cannot be read',
    reported({
      unreadable: [{ topic: 'therapist-events', partition: 2, offset: '9', reason: 'its checksum is wrong' }],
    }),
    'kafka',
    'degraded',
    'partition 2 of therapist-events is stuck at offset 9 because a batch cannot be read: its checksum is wrong',
  ],
  [
    'an unknown lag',
    reported({ groups: [group('comm', 'communication-events', null)] }),
    'kafka',
    'degraded',
    'the number of waiting messages of communication-events is unknown',
  ],
  [
    'dead letters that are not counted',
    reported({ dead_letters: null }),
    'kafka',
    'degraded',
    'the number of waiting dead letters is unknown',
  ],
  [
    'an unknown number of unreadable batches',
    reported({ unreadable: null }),
    'kafka',
    'degraded',
    'it is unknown whether there are unreadable batches',
  ],
  [
    'a dead letter',
    reported({ dead_letters: 1 }),
    'kafka',
    'degraded',
    'dead letters waiting for an operator: 1',
  ],
  ['a bucket at 80 % of its quota', filled(800), 'storage', 'healthy'],
  [
    'a bucket above 80 % of its quota',
    filled(801),
    'storage',
    'degraded',
    'the bucket holds 80 % of its quota',
  ],
  ['a full bucket', filled(1001), 'storage', 'unhealthy'],
  ['a disk with room for a hundred files', disk(100 * MIB), 'storage', 'healthy'],
  ['a disk with room for fewer', disk(100 * MIB - 1), 'storage', 'degraded'],
  ['a disk without room for one file', disk(MIB - 1), 'storage', 'unhealthy'],
  ['a drop folder that is not there', { freeDisk: { fault: 'the query failed' } }, 'storage', 'degraded'],
  ['one read of Firestore that hangs', { imports: HANGING }, 'firestore', 'healthy'],
  [
    'a Firestore that hangs',
    { imports: HANGING, outbox: HANGING, worker: HANGING, lastRun: HANGING },
    'firestore',
    'unhealthy',
    'Firestore does not respond: no response within 1 s',
  ],
  ['a restored copy', { fence: { value: 'mark_older' } }, 'restore', 'unhealthy'],
  ['marks that nobody can read', { fence: HANGING }, 'restore', 'degraded'],
  ['a service never run by its schedule', { lastRun: { value: undefined } }, 'scheduled_run', 'degraded'],
  ['an overdue run', { lastRun: { value: { ...lastRun, taken_at: ago(301) } } }, 'scheduled_run', 'degraded'],
];

describe('the verdict', () => {
  it('is healthy without a reason when everything works', () => {
    const { status, checks } = judge(facts(), limits);
    expect(status).toBe('healthy');
    expect(Object.values(checks).flatMap((check) => check.reasons)).toEqual([]);
  });

  it.each(rules)('on %s sets status and reason', (_, differing, name, status, reason) => {
    const report = judge(facts(differing), limits);
    const check = report.checks[name as keyof typeof report.checks];
    expect(check.status).toBe(status);
    if (reason !== undefined) expect(check.reasons).toEqual([reason]);
    expect(check.reasons.length > 0).toBe(status !== 'healthy');
    expect(check.runbooks.length > 0).toBe(status !== 'healthy');
    for (const runbook of check.runbooks) expect(existsSync(new URL(`${runbook}.md`, RUNBOOKS))).toBe(true);
    if (status !== 'healthy') expect(report.status).not.toBe('healthy');
  });

  it('names the runbooks of all reasons of a check, each once', () => {
    const unknown = worker.groups.map((one) => ({ ...one, lag: null }));
    const { kafka } = judge(facts(reported({ groups: unknown, dead_letters: 1 })), limits).checks;
    expect(kafka.reasons).toHaveLength(3);
    expect(kafka.runbooks).toEqual(['consumer-lag', 'dead-letters']);
  });

  it('does not claim that Kafka is reachable when the worker no longer reports', () => {
    const { kafka } = judge(facts(reported({ written_at: ago(600) })), limits).checks;
    expect(kafka.reachable).toBeNull();
    expect(kafka.reported_seconds_ago).toBe(600);
  });

  it('adds up the lag of all groups, and is unknown when one is', () => {
    const lagOf = (differing: Partial<Facts>) => judge(facts(differing), limits).checks.kafka.consumer_lag;
    expect(lagOf({})).toBe(5);
    const [comm, therapist] = worker.groups;
    const unknown = { ...comm!, lag: null };
    expect(lagOf({ worker: { value: { ...worker, groups: [unknown, therapist!] } } })).toBeNull();
    expect(lagOf({ worker: HANGING })).toBeNull();
  });
});

const reading = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof(
    value.map((value) => ({ value })),
    fc.constant({ fault: 'no response within 1 s' }),
  );
const count = fc.nat({ max: 5000 });
const anyFacts: fc.Arbitrary<Facts> = fc.record({
  now: fc.constant(now),
  incoming: reading(fc.record({ files: count, oldest_seconds: count })),
  imports: reading(
    fc.record({
      last_success: fc.constantFrom(null, ago(60)),
      last_failure: fc.constantFrom(null, ago(70)),
      successes_24h: count,
      failures_24h: count,
    }),
  ),
  outbox: reading(fc.record({ entries: count, oldest_seconds: count })),
  worker: reading(
    fc.option(
      fc.record({
        written_at: count.map(ago),
        kafka_reachable: fc.boolean(),
        groups: fc.array(
          fc.record({
            group: fc.constant('g'),
            topic: fc.constant('t'),
            lag: fc.option(count),
            last_poll_at: fc.constant(null),
            partitions: fc.array(
              fc.record({
                partition: fc.nat({ max: 5 }),
                committed: fc.constantFrom(null, '17'),
                lag: count,
                waiting_since: fc.option(count.map(ago)),
              }),
            ),
          }),
        ),
        unreadable: fc.constantFrom(null, []),
        dead_letters: fc.option(count),
        last_relay_at: fc.constant(null),
      }),
      { nil: undefined },
    ),
  ),
  fence: reading(fc.constantFrom<FenceFault | undefined>(undefined, 'mark_older', 'mark_missing')),
  lastRun: reading(
    fc.option(
      fc.record({ taken_at: count.map(ago), bucket: fc.constant(null), retention: fc.constant(null) }),
      { nil: undefined },
    ),
  ),
  freeDisk: fc.option(reading(fc.nat()), { nil: undefined }),
});

describe('for any facts', () => {
  it('the status is that of the worst check, and only a healthy check has no reason', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const { status, checks } = judge(facts, limits);
        const statuses = Object.values(checks).map((check) => check.status);
        expect(statuses).toContain(status);
        if (status !== 'unhealthy') expect(statuses).not.toContain('unhealthy');
        if (status === 'healthy') expect(new Set(statuses)).toEqual(new Set(['healthy']));
        for (const check of Object.values(checks)) {
          expect(check.reasons.length === 0).toBe(check.status === 'healthy');
        }
      }),
    );
  });

  it('an older file is never healthier', () => {
    const rank = (status: Status) => ['healthy', 'degraded', 'unhealthy'].indexOf(status);
    fc.assert(
      fc.property(anyFacts, count, count, (facts, one, other) => {
        const [younger, older] = [Math.min(one, other), Math.max(one, other)].map(
          (age) => judge({ ...facts, ...incoming(age) }, limits).status,
        ) as [Status, Status];
        expect(rank(older)).toBeGreaterThanOrEqual(rank(younger));
      }),
    );
  });

  it('no reason or figure is undefined or NaN, so the report is plain JSON', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const report = judge(facts, limits);
        expect(JSON.parse(JSON.stringify(report))).toEqual(report);
        expect(JSON.stringify(report)).not.toMatch(/undefined|NaN/);
      }),
    );
  });
});
