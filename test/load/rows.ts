/**
 * The results of a benchmark: rows of figures measured in one run, compared with a bare loop of the same work where there
 * is one. A `*.bench.ts` beside this file exports `bench`; `npm run bench` runs and prints all.
 */
import { readFile, writeFile } from 'node:fs/promises';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | 's' | '/s' | 'MiB' | 'KiB' | '%';
  /** The figure of a bare loop with the same work, in the same unit and run. */
  readonly bare?: number;
  /** The target in words, such as `≥ 0.7 of bare`. */
  readonly goal?: string;
}

/** One group of measurements. The engines' addresses are in the environment, as in tests. */
export type Bench = (progress: (text: string) => void) => Promise<Row[]>;

/** @param share 0.5 for the median, 0.99 for p99 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Runs `work` for each item, `concurrency` at a time. @returns items per second */
export async function rate<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<unknown>,
): Promise<number> {
  const started = performance.now();
  let next = 0;
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return (items.length / (performance.now() - started)) * 1000;
}

/** The most resident memory that a process has had since it began, or since {@link forgetPeak}. */
export async function peakMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Begins a new peak: https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html */
export function forgetPeak(pid: number): Promise<void> {
  return writeFile(`/proc/${pid}/clear_refs`, '5');
}
