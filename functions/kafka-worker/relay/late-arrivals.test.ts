import { describe, expect, it } from 'vitest';
import { createLateArrivals } from './late-arrivals.ts';

function at(underWayMs = 30_000) {
  const time = { now: 1_000_000 };
  return { time, late: createLateArrivals(underWayMs, () => time.now) };
}

describe('what may still arrive', () => {
  it('is nothing after orderly leaders only', () => {
    const { late } = at();
    late.tookOver(undefined);
    expect(late.isSettled()).toBe(true);
  });

  it('is what a leader left that died just now, for 30 s', () => {
    const { late, time } = at();
    late.tookOver(0);
    expect(late.settledInMs()).toBe(30_000);
    time.now += 29_999;
    expect(late.isSettled()).toBe(false);
    time.now += 1;
    expect(late.isSettled()).toBe(true);
  });

  it('counts the time that has passed under orderly leaders', () => {
    const { late } = at();
    late.tookOver(20_000);
    expect(late.settledInMs()).toBe(10_000);
    late.tookOver(3_600_000);
    expect(late.settledInMs()).toBe(10_000);
  });

  it('is what this worker sent without an answer', () => {
    const { late, time } = at();
    late.unanswered();
    time.now += 10_000;
    late.unanswered();
    expect(late.settledInMs()).toBe(30_000);
  });
});
