/**
 * Leaves no process behind when the stack itself is killed: a helper process holds the list of process groups and ends
 * those still on the list once its input closes, which also happens when the stack dies by kill -9.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';

const GRACE_MS = 3_000;

let reaper: Writable | undefined;

/** Puts a process group on the list. @returns a function that removes it, to call when the group has ended */
export function watchOver(pid: number): () => void {
  reaper ??= startReaper();
  reaper.write(`+${pid}\n`);
  return () => void reaper?.write(`-${pid}\n`);
}

function startReaper(): Writable {
  const child = spawn(process.execPath, [import.meta.filename], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // The helper waits for its owner's end, so it must not keep the owner alive.
  child.unref();
  (child.stdin as Writable & { unref(): void }).unref();
  child.stdin.on('error', () => {
    reaper = undefined;
  });
  return child.stdin;
}

function endAll(groups: ReadonlySet<number>, signal: NodeJS.Signals): void {
  for (const pid of groups) {
    try {
      process.kill(-pid, signal);
    } catch {
      // The group has ended already.
    }
  }
}

if (import.meta.main) {
  const groups = new Set<number>();
  process.on('SIGINT', () => undefined);
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const pid = Number(line.slice(1));
    if (line.startsWith('+')) groups.add(pid);
    else groups.delete(pid);
  });
  lines.on('close', () => {
    endAll(groups, 'SIGTERM');
    setTimeout(() => endAll(groups, 'SIGKILL'), GRACE_MS);
  });
}
