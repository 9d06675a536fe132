import { expect, it } from 'vitest';
import { FetchGate } from './fetch-gate.ts';

function aGate() {
  const calls: string[] = [];
  const gate = new FetchGate(
    (partition) => calls.push(`pause ${partition}`),
    (partition) => calls.push(`resume ${partition}`),
  );
  return { gate, calls };
}

it('resumes a partition when the last reason to hold it is gone, and pauses it once', () => {
  const { gate, calls } = aGate();
  gate.hold(1, 'full');
  gate.hold(1, 'full');
  gate.hold(1, 'unreadable');
  gate.release(1, 'full');
  expect(calls).toEqual(['pause 1']);
  expect([gate.isHeld(1, 'full'), gate.isHeld(1, 'unreadable')]).toEqual([false, true]);
  gate.release(1, 'unreadable');
  gate.release(1, 'unreadable');
  gate.release(2, 'full');
  expect(calls).toEqual(['pause 1', 'resume 1']);
});

it('forgets at a new assignment why partitions were held', () => {
  const { gate, calls } = aGate();
  gate.hold(1, 'unreadable');
  gate.hold(2, 'full');
  gate.restart([1]);
  gate.release(1, 'opening');
  gate.release(2, 'full');
  expect(calls).toEqual(['pause 1', 'pause 2', 'pause 1', 'resume 1']);
});
