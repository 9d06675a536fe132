/** How large the pages of the outbox are. Which events of one are sent, and in which order, is tested with the shard. */
import { describe, expect, it } from 'vitest';
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';
import { limitAfter } from './page.ts';

const MIB = 1024 ** 2;

/** What a page needs to know of an event. */
const whole = { eventType: 'patient.updated', timestamp: '2026-11-03T10:00:00.000Z', sequence: 1 };
const pageOf = (count: number, characters: number) =>
  Array.from({ length: count }, () => ({ ...whole, envelope: 'x'.repeat(characters) }) as OutboxEvent);

describe('the page after a full one', () => {
  it('has as many events as fit into 2 MiB, if they are as large', () => {
    expect(limitAfter(pageOf(500, 2 * 1024))).toBe(1_024);
    expect(limitAfter(pageOf(20, MIB / 32))).toBe(64);
  });

  it.each([
    ['of events without a text', pageOf(500, 0), 2_000],
    ['of small events', pageOf(500, 10), 2_000],
    ['of the largest events', pageOf(20, MIB / 2), 20],
    [
      'of events whose text was damaged',
      [{ ...whole, envelope: undefined } as unknown as OutboxEvent],
      2_000,
    ],
  ])('has a limit behind one %s', (_, page, limit) => {
    expect(limitAfter(page)).toBe(limit);
  });
});
