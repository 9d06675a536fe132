/**
 * Finds files that a process still holds open for writing, on Linux by /proc (proc_pid_fdinfo(5)), on macOS by `lsof`;
 * only root sees the processes of other users. Other systems do not show it, and there no file counts as held.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync, type BigIntStats } from 'node:fs';
import { access } from 'node:fs/promises';
import { platform } from 'node:process';
import { promisify } from 'node:util';

/** Identifies a file independently of its name: `device:inode`. */
export type FileIdentity = string;

export function identityOf({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): FileIdentity {
  return `${dev}:${ino}`;
}

/** True on systems where {@link heldForWriting} works; elsewhere only time shows that a file is whole. */
export async function canTellWriters(): Promise<boolean> {
  const ask =
    platform === 'linux'
      ? access('/proc/self/fdinfo')
      : platform === 'darwin'
        ? promisify(execFile)('lsof', ['-v'])
        : Promise.reject(new Error('this system does not show open files'));
  return ask.then(
    () => true,
    () => false,
  );
}

/** Returns the files that are open for writing in some process. One pass covers all files. */
export async function heldForWriting(files: ReadonlyMap<FileIdentity, string>): Promise<Set<FileIdentity>> {
  if (files.size === 0) return new Set();
  const held = platform === 'linux' ? heldOnLinux() : platform === 'darwin' ? await heldOnMac(files) : [];
  return new Set(held.filter((identity) => files.has(identity)));
}

/** Synchronous: a machine has thousands of descriptors, and each promise would cost more than the call itself. */
function heldOnLinux(): FileIdentity[] {
  const held: FileIdentity[] = [];
  for (const pid of (unlessGone(() => readdirSync('/proc')) ?? []).filter((name) => /^\d+$/.test(name))) {
    for (const fd of unlessGone(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      const identity = unlessGone(() => writtenBy(`/proc/${pid}`, fd));
      if (identity !== undefined) held.push(identity);
    }
  }
  return held;
}

/** Undefined when the process has ended in the meantime or belongs to another user. */
function unlessGone<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** Compares no names: the writer may have opened the file by another hard link, which may be deleted by now. */
function writtenBy(process: string, fd: string): FileIdentity | undefined {
  // Sockets and pipes have no path.
  if (!readlinkSync(`${process}/fd/${fd}`).startsWith('/')) return undefined;
  const info = readFileSync(`${process}/fdinfo/${fd}`, 'utf8');
  const flags = Number.parseInt(/^flags:\s+([0-7]+)$/m.exec(info)?.[1] ?? '0', 8);
  // O_WRONLY or O_RDWR: open(2).
  return (flags & 3) === 0 ? undefined : identityOf(statSync(`${process}/fd/${fd}`, { bigint: true }));
}

async function heldOnMac(files: ReadonlyMap<FileIdentity, string>): Promise<FileIdentity[]> {
  const args = ['-w', '-F', 'ai', '--', ...files.values()];
  // lsof exits with 1 when one of the files is not open in any process.
  const { stdout } = await promisify(execFile)('lsof', args).catch((error: { stdout?: string }) => ({
    stdout: error.stdout ?? '',
  }));
  const inodes = inodesWritten(stdout);
  return [...files.keys()].filter((identity) => inodes.has(identity.replace(/^.*:/, '')));
}

/** @param fields what `lsof -F ai` prints: `p…`, then for each open file `f…`, `a` and its access, `i` and its inode */
function inodesWritten(fields: string): Set<string> {
  const inodes = new Set<string>();
  let access = '';
  for (const line of fields.split('\n')) {
    if (line.startsWith('f')) access = '';
    if (line.startsWith('a')) access = line.slice(1);
    if (line.startsWith('i') && /[wu]/.test(access)) inodes.add(line.slice(1));
  }
  return inodes;
}
