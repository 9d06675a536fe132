/**
 * Tells a process that died from one that is handing its partition over. Both leave a marker for a moment, and a
 * rebalance must not count as a death of the message that was tried alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { InFlight, Marker, TopicPartition } from '../platform/in-flight.ts';

/** A process that hands over lowers its marker within this time, unless its message takes longer. */
const HANDED_OVER_WITHIN_MS = 3_000;
const LOOK_EVERY_MS = 250;

/**
 * The marker that the process before this one left. A marker of a message that was tried alone is believed only if it
 * still stands after 3 seconds: it blames the message for the death of the process.
 * @throws ServiceError `store.*`
 */
export async function leftBehind(inFlight: InFlight, place: TopicPartition): Promise<Marker | undefined> {
  let left = await inFlight.left(place);
  for (
    let waited = 0;
    left?.inWork?.alone === true && waited < HANDED_OVER_WITHIN_MS;
    waited += LOOK_EVERY_MS
  ) {
    await sleep(LOOK_EVERY_MS);
    left = await inFlight.left(place);
  }
  return left;
}
