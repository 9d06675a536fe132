/**
 * Hostile input against the whole stack: each example ends as applied, refused with a reason, ignored and counted, or a
 * dead letter, and meanwhile no other work is delayed by more than two seconds. The table at its end shows by how much.
 *
 * Three cases are tested elsewhere, beside the tools that they need:
 * a truncated log                            test/kafka/positions.test.ts
 * an unreadable batch in a dead-letter topic test/kafka/unreadable.test.ts
 * the rebuild of the search index            shared/store/search-index.test.ts, functions/ops/ops.test.ts
 */
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { fileExamples } from './file-examples.ts';
import { kafkaExamples } from './kafka-examples.ts';
import { mailExamples } from './mail-examples.ts';
import { requestExamples } from './request-examples.ts';
import { standingExamples } from './standing-examples.ts';
import { startHostileWorld, type HostileWorld } from './world.ts';

let world: HostileWorld;
beforeAll(async () => {
  world = await startHostileWorld();
  // The consumers are still joining their groups, and the functions answer their first calls.
  await world.watch.untilUnderWay();
}, 300_000);
afterAll(async () => {
  if (world !== undefined) console.table(world.watch.table());
  await world?.watch.stop();
  await world?.stop();
});
afterEach(() => world.watch.assertNothingStood());

describe('on the topics', () => kafkaExamples(() => world));
describe('in the bucket', () => fileExamples(() => world));
describe('over HTTP', () => requestExamples(() => world));
describe('in mails', () => mailExamples(() => world));
describe('in a partition', () => standingExamples(() => world));
