/** Times of repeated probes and of a control beside them, and the verdict whether anything was blocked. */

const STANDS_AFTER_MS = 2_000;
/**
 * A single probe above 2 s is no proof on a busy machine: it may have met a lock of the emulator. Two are, because
 * whatever blocks a process delays every probe that goes through it. One above this limit is also a proof.
 */
const STANDS_FOR_CERTAIN_MS = 10_000;
/**
 * Allowance for a busy machine: both limits grow by this factor times the longest control meanwhile, which takes a few
 * milliseconds on a quiet machine.
 */
const GRANTED_TIMES = 10;

/** From `at`, in milliseconds since the epoch. A probe that failed took infinitely long. */
interface Timed {
  readonly at: number;
  readonly tookMs: number;
}

interface Probe extends Timed {
  readonly what: string;
}

interface Row {
  readonly probes: number;
  readonly above2s: number;
  readonly slowestMs: number;
}

export class Observations {
  private judging: Probe[] = [];
  private readonly controls: Timed[] = [];
  private readonly all = new Map<string, number[]>();

  /** @param what the kind and details, for the verdict */
  probe(kind: string, what: string, time: Timed): void {
    this.judging.push({ ...time, what });
    this.all.set(kind, [...(this.all.get(kind) ?? []), time.tookMs]);
  }

  control(time: Timed): void {
    this.controls.push(time);
  }

  /** True when the latest probe of the kind took less than 2 s. */
  isFast(kind: string): boolean {
    return (this.all.get(kind)?.at(-1) ?? Infinity) < STANDS_AFTER_MS;
  }

  /** Drops the probes that were not judged yet. */
  forget(): void {
    this.judging = [];
  }

  /** The probes since the last call that prove that something was blocked, in words; none if nothing was. */
  delayed(): string[] {
    const judged = this.judging;
    this.forget();
    const above = (limitMs: number) =>
      judged.filter((probe) => probe.tookMs > limitMs + GRANTED_TIMES * this.slownessDuring(probe));
    const slow = above(STANDS_AFTER_MS);
    if (slow.length < 2 && above(STANDS_FOR_CERTAIN_MS).length === 0) return [];
    return slow.map(({ what, at, tookMs }) => `${new Date(at).toISOString()} ${what} took ${tookMs} ms`);
  }

  /** A row for each kind since the start, and one for the control. */
  table(): Record<string, Row> {
    const row = (times: readonly number[]): Row => ({
      probes: times.length,
      above2s: times.filter((time) => time > STANDS_AFTER_MS).length,
      slowestMs: Math.max(0, ...times),
    });
    const rows = [...this.all].map(([kind, times]) => [kind, row(times)] as const);
    const control = row(this.controls.map(({ tookMs }) => tookMs));
    return { ...Object.fromEntries(rows), 'the machine': control };
  }

  private slownessDuring({ at, tookMs }: Timed): number {
    const during = this.controls.filter((one) => one.at <= at + tookMs && one.at + one.tookMs >= at);
    return Math.max(0, ...during.map((one) => one.tookMs));
  }
}
