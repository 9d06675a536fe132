/** Processes that die of messages, and by kills from outside: who is buried, and after how many deaths. */
import { fc } from '../../test/support/properties.ts';
import { expect, it } from 'vitest';
import { testLog } from '../../test/support/kafka.ts';
import type { Marker } from '../platform/in-flight.ts';
import { SharedLock } from '../platform/shared-lock.ts';
import { PartitionWork } from './partition-work.ts';
import type { IncomingMessage } from './ports.ts';
import { DEADLY_TIMES } from './trial.ts';

/** One process that was not careful, one that noted what it had in work, and those that died while it was alone. */
const DEATHS_OF_A_KILLER = 2 + DEADLY_TIMES;

interface Plan {
  readonly partitions: number;
  readonly messages: number;
  readonly lanes: number;
  /** Numbers of messages, counted through all partitions. */
  readonly killers: readonly number[];
  /** After how many steps each of the first processes is killed from outside, unless it dies before. */
  readonly kills: readonly number[];
  readonly seed: number;
}

interface Outcome {
  readonly deaths: number;
  readonly killed: number;
  readonly buried: readonly string[];
  readonly applied: ReadonlyMap<string, readonly bigint[]>;
  readonly finished: boolean;
}

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

function topic({ messages, lanes }: Plan, partition: number): IncomingMessage[] {
  return Array.from({ length: messages }, (_, n) => ({
    topic: 'topic',
    partition,
    offset: BigInt(n),
    timestamp: 0,
    key: Buffer.from(`${partition}-${(n * 7) % lanes}`),
    value: Buffer.from('{}'),
    headers: {},
  }));
}

const nameOf = ({ partition, offset }: { partition: number; offset: bigint }) => `${partition}:${offset}`;
const never = new Promise<never>(() => undefined);

async function live(plan: Plan): Promise<Outcome> {
  const next = random(plan.seed);
  const board = new Map<number, Marker>();
  const committed = new Map<number, bigint>();
  const buried: string[] = [];
  const applied = new Map<string, bigint[]>();
  const killers = new Set(
    plan.killers.map((n) =>
      nameOf({ partition: n % plan.partitions, offset: BigInt(Math.floor(n / plan.partitions)) }),
    ),
  );
  const numbers = Array.from({ length: plan.partitions }, (_, partition) => partition);
  const isDone = () => numbers.every((partition) => committed.get(partition) === BigInt(plan.messages));
  let deaths = 0;
  let killed = 0;

  async function oneProcess(budget: number): Promise<void> {
    const died = Promise.withResolvers<void>();
    let dead = false;
    let steps = 0;
    const die = () => {
      dead = true;
      died.resolve();
      return never;
    };
    const step = async () => {
      if (dead) return never;
      steps += 1;
      if (steps > budget) {
        killed += 1;
        return die();
      }
      for (let turns = Math.floor(next() * 4); turns > 0; turns -= 1) await Promise.resolve();
      return dead ? never : undefined;
    };
    const lock = new SharedLock();
    for (const partition of numbers) {
      const start = committed.get(partition) ?? 0n;
      const work = new PartitionWork({
        start,
        left: board.get(partition),
        laneOf: ({ key }) => String(key),
        concurrency: 4,
        maxMessageBytes: 1_000,
        backoff: { firstMs: 1, lastMs: 1 },
        lock,
        raise: async (marker) => {
          await step();
          board.set(partition, marker);
          await step();
        },
        handle: async (message) => {
          await step();
          if (killers.has(nameOf(message))) return die();
          await step();
          const lane = String(message.key);
          applied.set(lane, [...(applied.get(lane) ?? []), message.offset]);
          return step();
        },
        deadLetter: async (message) => {
          await step();
          buried.push(nameOf(message));
        },
        onProgress: (offset) => {
          // What was done last is often not committed.
          if (dead || next() < 0.3) return;
          committed.set(partition, offset);
          if (isDone()) died.resolve();
        },
        log: testLog(),
      });
      work.accept(topic(plan, partition).slice(Number(start)), BigInt(plan.messages));
    }
    // A process that has nothing left to do, but did not commit it.
    const idle = (async () => {
      for (let before = -1; before !== steps;) {
        before = steps;
        await new Promise(setImmediate);
      }
    })();
    await Promise.race([died.promise, idle]);
    if (dead) deaths += 1;
    dead = true;
  }

  const limit = 20 + plan.kills.length + DEATHS_OF_A_KILLER * killers.size;
  for (let n = 0; n < limit && !isDone(); n += 1) await oneProcess(plan.kills[n] ?? Infinity);
  return { deaths, killed, buried, applied, finished: isDone() };
}

const plans = fc.record({
  partitions: fc.integer({ min: 1, max: 4 }),
  messages: fc.integer({ min: 1, max: 60 }),
  lanes: fc.integer({ min: 1, max: 20 }),
  killers: fc.array(fc.nat(200), { maxLength: 4 }),
  kills: fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 8 }),
  seed: fc.nat(),
});

it('finds every killer within five deaths each, and buries no other message', async () => {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const { deaths, killed, buried, applied, finished } = await live(plan);
      expect(finished).toBe(true);
      const there = (n: number) => n < plan.partitions * plan.messages;
      const killers = new Set(
        plan.killers.filter(there).map((n) => `${n % plan.partitions}:${Math.floor(n / plan.partitions)}`),
      );
      const innocent = new Set(buried.filter((name) => !killers.has(name)));
      expect([...killers].filter((name) => !buried.includes(name))).toEqual([]);
      expect(deaths).toBeLessThanOrEqual(killed + DEATHS_OF_A_KILLER * killers.size);
      // A message becomes a dead letter only if this many external kills each happened while it was tried alone.
      expect(innocent.size * DEADLY_TIMES).toBeLessThanOrEqual(killed);
      if (killed < DEADLY_TIMES) expect(innocent).toEqual(new Set());
      // First appearances of a key are in order.
      for (const offsets of applied.values()) {
        const first = [...new Set(offsets)];
        expect(first).toEqual(first.toSorted((a, b) => Number(a - b)));
      }
    }),
    { numRuns: 300 },
  );
});
