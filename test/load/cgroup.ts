/** Limits the memory of processes by Linux cgroups, version 1 or 2, as Cloud Run does. Needs a hierarchy that this user may write. */
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where each version is mounted, and its files. */
const versions = [
  {
    mount: '/sys/fs/cgroup',
    limit: 'memory.max',
    peak: 'memory.peak',
    kills: 'memory.events',
  },
  {
    mount: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    peak: 'memory.max_usage_in_bytes',
    kills: 'memory.oom_control',
  },
] as const;

/** A group of processes that together get no more memory than its limit. */
export interface MemoryGroup {
  /** Starts with a command inside the group; the process keeps its pid. */
  enter(command: string, args: readonly string[]): { command: string; args: string[] };
  /** The most that the group has used, page cache included, in MiB. */
  peakMiB(): Promise<number>;
  /** Processes that the kernel killed because the limit was reached. */
  kills(): Promise<number>;
  /** When all its processes have ended. */
  remove(): Promise<void>;
}

/** @returns undefined where memory cannot be limited: no cgroups, or no permission */
export async function memoryGroup(name: string, limitBytes: number): Promise<MemoryGroup | undefined> {
  for (const version of versions) {
    const folder = join(version.mount, name);
    const read = (file: string) => readFile(join(folder, file), 'utf8');
    const remove = () => rmdir(folder);
    // An empty group that a killed run left.
    await remove().catch(() => undefined);
    try {
      await mkdir(folder);
    } catch {
      continue;
    }
    try {
      await writeFile(join(folder, version.limit), String(limitBytes), { flag: 'r+' });
    } catch {
      await remove();
      continue;
    }
    return {
      enter: (command, args) => ({
        command: 'sh',
        args: ['-c', 'echo $$ > "$0" && exec "$@"', join(folder, 'cgroup.procs'), command, ...args],
      }),
      peakMiB: async () => Number(await read(version.peak)) / 1024 ** 2,
      kills: async () => Number(/^oom_kill (\d+)$/m.exec(await read(version.kills))?.[1] ?? 0),
      remove,
    };
  }
  return undefined;
}
