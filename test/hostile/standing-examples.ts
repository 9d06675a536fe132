/** Partitions that are blocked by an unreadable batch: reported by name, and skipped by an operator only. */
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { HostileWorld } from './world.ts';

const SEEN_WITHIN_MS = 180_000;

export function standingExamples(world: () => HostileWorld): void {
  const name = ({ topic, partition }: { topic: string; partition: number }) =>
    `partition ${partition} of ${topic}`;

  describe('a batch that cannot be read', () => {
    it('does not prevent the messages before it from being applied', async () => {
      for (const { before } of world().unreadable) await world().untilInHistory(world().patient, before);
    });

    it('is named by /health, with its partition, within 3 minutes', async () => {
      const { unreadable, watch, standingSince } = world();
      for (const batch of unreadable) {
        const [seen] = await eventually(() => {
          const naming = watch.health.filter(({ reasons }) =>
            reasons.some((one) => one.includes(name(batch)) && one.includes('cannot be read')),
          );
          expect(naming.length, `${batch.damage}: /health names ${name(batch)}`).toBeGreaterThan(0);
          return naming;
        }, SEEN_WITHIN_MS);
        expect(seen!.status).not.toBe('healthy');
        expect(seen!.at - standingSince).toBeLessThan(SEEN_WITHIN_MS);
      }
    });

    it('is distinguished from an outage in the log, with its topic, partition and offset', async () => {
      for (const { topic, partition, offset, damage } of world().unreadable) {
        const lines = await world().logged('worker', `"offset":"${offset}"`);
        const naming = lines.filter((line) => line['topic'] === topic && line['partition'] === partition);
        expect(
          naming.map((line) => line['severity']),
          damage,
        ).toContain('ERROR');
      }
    });

    it('makes /health say that the partition stands while messages wait', async () => {
      const { unreadable, watch } = world();
      await eventually(() => {
        const reasons = watch.health.at(-1)!.reasons;
        const standing = unreadable.filter((batch) =>
          reasons.some((one) => one.includes(name(batch)) && one.includes('has been stuck')),
        );
        expect(standing).toHaveLength(unreadable.length);
      }, SEEN_WITHIN_MS);
    });

    it('is passed over when an operator says so, and the messages behind it are applied', async () => {
      const { unreadable, watch, ops, untilInHistory, patient } = world();
      for (const { partition, offset } of unreadable) {
        const end = ['--to', String(offset)];
        const skip = ['batch', 'skip', 'communication', String(partition), '--from', String(offset)];
        await ops(...skip, '--apply').catch(() => ops(...skip, ...end, '--apply'));
      }
      for (const { topic, partition, behind } of unreadable) {
        await untilInHistory(patient, behind);
        watch.putBack(topic, partition);
      }
      const listed = await ops('--json', 'batch', 'list');
      const traces = JSON.parse(listed) as { partition: number; from: string; state: string }[];
      expect(traces.map(({ partition, from }) => `${partition} ${from}`).sort()).toEqual(
        unreadable.map(({ partition, offset }) => `${partition} ${offset}`).sort(),
      );
      await eventually(() => {
        const reasons = watch.health.at(-1)!.reasons.join();
        expect(reasons).not.toContain('cannot be read');
        expect(reasons).not.toContain('has been stuck');
      });
    });
  });
}
