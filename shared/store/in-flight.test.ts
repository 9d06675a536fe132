import { describe, expect, it } from 'vitest';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { systemClock } from '../platform/system-clock.ts';
import { inFlightMarkers } from './in-flight.ts';

const { db } = patientsWorld();
const process = () => inFlightMarkers(db, systemClock);
const at = (topic: string) => ({ topic, partition: 0 });
const untilDeath = () => new Promise<never>(() => {});

describe('a marker', () => {
  it('is seen by another process until it is lowered, and not by the one that raised it', async () => {
    const [first, second] = [process()('group'), process()('group')];
    await first.raise(at('a'), { until: 7n, suspects: [{ offset: 3n, times: 2 }] });
    expect(await first.left(at('a'))).toBeUndefined();
    expect(await second.left(at('a'))).toEqual({ until: 7n, suspects: [{ offset: 3n, times: 2 }] });
    await first.lower(at('a'));
    expect(await second.left(at('a'))).toBeUndefined();
  });

  it('that is lowered with suspects is seen by the next process, and by the same one', async () => {
    const [first, second] = [process()('group'), process()('group')];
    await first.raise(at('h'), { until: 7n, suspects: [] });
    const suspicion = { until: 5n, suspects: [{ offset: 3n, times: 2 }] };
    await first.lower(at('h'), suspicion);
    expect(await first.left(at('h'))).toEqual(suspicion);
    expect(await second.left(at('h'))).toEqual(suspicion);
  });

  it('that another process has raised since is not lowered', async () => {
    const [first, second] = [process()('group'), process()('group')];
    await first.raise(at('b'), { until: 7n, suspects: [] });
    await second.raise(at('b'), { until: 9n, suspects: [] });
    await first.lower(at('b'));
    expect(await first.left(at('b'))).toEqual({ until: 9n, suspects: [] });
  });
});

describe('a trial', () => {
  it('that did not end makes a suspect, more so with each process', async () => {
    for (let times = 1; times <= 2; times += 1) {
      const dying = process()('group');
      const left = await dying.left(at('c'));
      await dying.raise(at('c'), { until: 7n, suspects: left?.suspects ?? [] });
      void dying.try(at('c'), 5n, untilDeath);
      await expect
        .poll(async () => (await process()('group').left(at('c')))?.suspects)
        .toEqual([{ offset: 5n, times }]);
    }
  });

  it('of an earlier message does not make a suspect forgotten', async () => {
    const dying = process()('group');
    await dying.raise(at('g'), { until: 7n, suspects: [{ offset: 5n, times: 2 }] });
    void dying.try(at('g'), 3n, untilDeath);
    const suspects = [
      { offset: 5n, times: 2 },
      { offset: 3n, times: 1 },
    ];
    await expect.poll(async () => (await process()('group').left(at('g')))?.suspects).toEqual(suspects);
  });

  it('is the only one in the process, whatever the partition and the group', async () => {
    const markersOf = process();
    const [group, other] = [markersOf('group'), markersOf('other')];
    await group.raise(at('d'), { until: 7n, suspects: [] });
    await other.raise(at('e'), { until: 7n, suspects: [] });
    let running = 0;
    const work = async () => {
      running += 1;
      expect(running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
    };
    await Promise.all([
      group.try(at('d'), 1n, work),
      other.try(at('e'), 1n, work),
      group.try(at('d'), 2n, work),
    ]);
    expect((await process()('other').left(at('e')))?.suspects).toEqual([]);
  });

  it('that failed makes no suspect', async () => {
    const group = process()('group');
    await group.raise(at('f'), { until: 7n, suspects: [] });
    await expect(group.try(at('f'), 1n, () => Promise.reject(new Error('a fault')))).rejects.toThrow(
      'a fault',
    );
    expect((await process()('group').left(at('f')))?.suspects).toEqual([]);
  });
});
