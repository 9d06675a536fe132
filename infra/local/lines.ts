/**
 * Append-only files of JSON lines: writers tolerate a torn last line (kill -9), and readers follow a file while another
 * process writes it.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, watch, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const NEWLINE = 0x0a;

/** Writes one line in a single write. It ends a torn line before it first, so that the new line is readable. */
export function appendLine(file: string, value: object): void {
  const fd = openSync(file, 'a+');
  try {
    const { size } = fstatSync(fd);
    const last = Buffer.alloc(1);
    const torn = size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE;
    writeSync(fd, `${torn ? '\n' : ''}${JSON.stringify(value)}\n`);
  } finally {
    closeSync(fd);
  }
}

/** The JSON value of a line, undefined when the line is torn. */
export function parseLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Yields each whole line of a file, from its beginning (or from `last` bytes before its end, where the first line may be
 * torn), and goes on as the file grows. The file need not exist yet. Ends when the signal is aborted.
 */
export async function* followLines(
  file: string,
  { signal, last }: { signal: AbortSignal; last?: number | undefined },
): AsyncGenerator<string> {
  mkdirSync(dirname(file), { recursive: true });
  const grown = changesOf(dirname(file), signal);
  let offset = last === undefined ? 0 : Math.max(0, sizeOf(file) - last);
  let rest = Buffer.alloc(0);
  while (!signal.aborted) {
    const chunk = readFrom(file, offset);
    if (chunk.length === 0) {
      await grown();
      continue;
    }
    offset += chunk.length;
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
      yield rest.subarray(0, end).toString('utf8');
      rest = rest.subarray(end + 1);
    }
  }
}

/** Waits for a change in the folder, at most a quarter of a second, because watchers may miss a change. */
function changesOf(folder: string, signal: AbortSignal): () => Promise<void> {
  let wake: () => void = () => undefined;
  const watcher = watch(folder, { signal, persistent: false }, () => wake());
  watcher.on('error', () => undefined);
  return async () => {
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    await Promise.race([changed, delay(250, undefined, { signal }).catch(() => undefined)]);
  };
}

function readFrom(file: string, offset: number): Buffer {
  const fd = openIfThere(file);
  if (fd === undefined) return Buffer.alloc(0);
  try {
    const buffer = Buffer.alloc(Math.max(0, Math.min(fstatSync(fd).size - offset, 1 << 20)));
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, offset));
  } finally {
    closeSync(fd);
  }
}

function sizeOf(file: string): number {
  const fd = openIfThere(file);
  if (fd === undefined) return 0;
  try {
    return fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
}

/** Opens the file without checking first: it could disappear between the check and the opening. */
function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
