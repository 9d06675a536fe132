import { expect, it } from 'vitest';
import type { InFlight, Marker } from '../platform/in-flight.ts';
import { leftBehind } from './handover.ts';

const place = { topic: 'topic', partition: 0 };
const suspects = [{ offset: 7n, times: 2 }];
const alone: Marker = { until: 8n, suspects, inWork: { offsets: [7n], alone: true } };
const handedOver: Marker = { until: 8n, suspects };

/** A store whose marker is another one at each look; the last one stays. */
function looks(...markers: (Marker | undefined)[]): InFlight & { count: () => number } {
  let looked = 0;
  return {
    raise: async () => {},
    lower: async () => {},
    left: async () => markers[Math.min(looked++, markers.length - 1)],
    count: () => looked,
  };
}

it('does not blame a message whose process hands its partition over', async () => {
  expect(await leftBehind(looks(alone, alone, handedOver), place)).toEqual(handedOver);
  expect(await leftBehind(looks(alone, undefined), place)).toBeUndefined();
});

it('blames a message whose process never comes back', async () => {
  expect(await leftBehind(looks(alone), place)).toEqual(alone);
});

it('waits for no marker that blames nobody', async () => {
  const noted: Marker = { until: 8n, suspects: [], inWork: { offsets: [7n], alone: false } };
  for (const marker of [undefined, handedOver, noted]) {
    const store = looks(marker);
    expect(await leftBehind(store, place)).toEqual(marker);
    expect(store.count()).toBe(1);
  }
});
