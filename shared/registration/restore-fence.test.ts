/** Which database may publish: how the two marks compare, and which operations check them. */
import { describe, expect, it } from 'vitest';
import { importWorld } from '../../test/support/import-world.ts';
import { fenceFaultOf, markDoc, type FenceFault, type InsideMark, type Mark } from '../store/fence.ts';
import { createPatientIds, raiseNextId } from '../store/patient-ids.ts';
import { raiseMarks, readFence, readOutsideMark, releaseFence } from './restore-fence.ts';

const mark = (generation: number, incarnation = 'a'): Mark => ({ incarnation, generation, marked_at: '' });
const inside = (generation: number, recorded = true, incarnation = 'a'): InsideMark => ({
  ...mark(generation, incarnation),
  recorded,
  lost: [],
});

describe('the marks', () => {
  it.each<[string, InsideMark | undefined, Mark | undefined, FenceFault | undefined]>([
    ['of a service that never ran', undefined, undefined, undefined],
    ['that agree', inside(5), mark(5), undefined],
    ['whose bucket mark is not raised yet', inside(6), mark(5), undefined],
    ['of a first start that died before the bucket', inside(1, false), undefined, undefined],
    ['of a restored copy', inside(4), mark(5), 'mark_older'],
    ['of a copy older than the marks', undefined, mark(5), 'mark_missing'],
    ['of a copy from before another restore', inside(9, true, 'b'), mark(5), 'mark_foreign'],
    ['of a bucket that was emptied', inside(5), undefined, 'bucket_mark_missing'],
  ])('%s', (_, database, bucket, fault) => {
    expect(fenceFaultOf(database, bucket)).toBe(fault);
  });

  it('are created on first use and rise together', async () => {
    const { deps, db } = await importWorld();
    expect((await readFence(deps)).fault).toBeUndefined();
    for (const generation of [1, 2, 3]) {
      await raiseMarks(deps);
      const { fault, ...marks } = await readFence(deps);
      expect({ fault, ...marks }).toMatchObject({
        fault: undefined,
        inside: { generation, recorded: true },
        outside: { generation },
      });
    }
    expect((await markDoc(db).get()).get('incarnation')).toBe(
      (await readOutsideMark(deps.bucket))?.incarnation,
    );
  });

  it('do not fence a database while the first marks are being written', async () => {
    const { deps, db } = await importWorld();
    const looks: (Mark | undefined)[] = [];
    const allocate = createPatientIds(db, async () => {
      const seen = await readOutsideMark(deps.bucket);
      // The worker starts just after the first read.
      if (looks.push(seen) === 1) await raiseMarks(deps);
      return seen;
    });
    expect(await allocate()).toBe(1);
    expect(looks).toMatchObject([undefined, { generation: 1 }]);
  });

  it('still rise after a crash between the two writes', async () => {
    const { deps, db } = await importWorld();
    await raiseMarks(deps);
    await markDoc(db).update({ generation: 2 });
    await raiseMarks(deps);
    expect(await readFence(deps)).toMatchObject({ inside: { generation: 3 }, outside: { generation: 3 } });
  });
});

describe('a restored copy', () => {
  async function restored() {
    const world = await importWorld();
    await raiseMarks(world.deps);
    const snapshot = (await markDoc(world.db).get()).data()!;
    await raiseMarks(world.deps);
    await markDoc(world.db).set(snapshot);
    return world;
  }

  it('raises no mark and leases no ids, until it is released', async () => {
    const { deps, db } = await restored();
    const allocate = createPatientIds(db, () => readOutsideMark(deps.bucket));
    await expect(raiseMarks(deps)).rejects.toMatchObject({ code: 'store.fenced', retriable: true });
    await expect(allocate()).rejects.toMatchObject({ code: 'store.fenced' });
    expect((await db.collection('counters').get()).size).toBe(0);

    await releaseFence(deps, { from: null, until: '2026-11-28T00:00:00.000Z' });
    expect((await readFence(deps)).fault).toBeUndefined();
    await raiseNextId(db, 11_001);
    expect(await allocate()).toBe(11_001);
    await raiseNextId(db, 5);
    expect(await allocate()).toBe(11_002);
  });

  it('made before a release is recognised too', async () => {
    const { deps, db } = await restored();
    const snapshot = (await markDoc(db).get()).data()!;
    await releaseFence(deps, { from: null, until: '2026-11-28T00:00:00.000Z' });
    await markDoc(db).set({ ...snapshot, generation: 1_000 });
    expect((await readFence(deps)).fault).toBe('mark_foreign');
  });

  it('may use up the ids of a block that was leased before', async () => {
    const world = await importWorld();
    const allocate = createPatientIds(world.db, () => readOutsideMark(world.deps.bucket));
    await raiseMarks(world.deps);
    expect(await allocate()).toBe(1);
    await markDoc(world.db).delete();
    expect(await allocate()).toBe(2);
  });
});
