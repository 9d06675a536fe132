import { describe, expect, it } from 'vitest';
import { patientsWorld } from '../../test/support/patients-world.ts';
import { inFlightMarkers } from './in-flight.ts';

const { db } = patientsWorld();
const process = () => inFlightMarkers(db);
const at = (topic: string) => ({ topic, partition: 0 });

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

  it('names the messages in work, unless it is lowered', async () => {
    const [first, second] = [process()('group'), process()('group')];
    const marker = {
      until: 7n,
      suspects: [{ offset: 3n, times: 0 }],
      inWork: { offsets: [3n, 5n], alone: false },
    };
    await first.raise(at('c'), marker);
    expect(await second.left(at('c'))).toEqual(marker);
    const { inWork: _, ...suspicion } = marker;
    await first.lower(at('c'), suspicion);
    expect(await second.left(at('c'))).toEqual(suspicion);
  });

  it('of an earlier release is read', async () => {
    const stored = { owner: null, until: '7', suspects: [{ offset: '3', times: 2 }] };
    await db.doc('in_flight/group:old:0').set(stored);
    expect(await process()('group').left(at('old'))).toEqual({
      until: 7n,
      suspects: [{ offset: 3n, times: 2 }],
    });
  });
});
