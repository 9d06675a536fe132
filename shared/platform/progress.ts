/**
 * Shows the progress of long work: on a terminal a bar with rate and remaining time, otherwise one line every 10 s.
 */
import cliProgress from 'cli-progress';

/** Receives the progress of long work. */
export interface Progress {
  /**
   * Sets how much is done so far. Cheap enough to be called for every item.
   * @param place how far that is, in words, for a person who must continue after a kill
   */
  to(done: number, place?: string): void;
}

/** Shows nothing. */
export const silent: Progress = { to: () => undefined };

/** Describes the work to show. */
export interface Shown {
  /** A label such as `reading the topic`. */
  readonly what: string;
  /** The number of items; undefined when it is unknown. */
  readonly total?: number;
}

type Stream = NodeJS.WritableStream & { isTTY?: boolean };

const LINE_EVERY_MS = 10_000;

/** Runs `work` and shows its progress. Removes the display when the work ends or fails. */
export function showProgress<T>(
  stream: Stream,
  shown: Shown,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  return stream.isTTY === true ? withBar(stream, shown, work) : withLines(stream, shown, work);
}

async function withBar<T>(
  stream: Stream,
  shown: Shown,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  let reached: string | undefined;
  const bar = new cliProgress.SingleBar({
    stream,
    clearOnComplete: true,
    hideCursor: true,
    format: (_, { value }) => progressLine(shown, value, performance.now() - started, reached),
  });
  bar.start(shown.total ?? 0, 0);
  try {
    return await work({
      to: (done, place) => {
        reached = place;
        bar.update(done);
      },
    });
  } finally {
    bar.stop();
  }
}

async function withLines<T>(
  stream: Stream,
  shown: Shown,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  let [done, reached]: [number, string | undefined] = [0, undefined];
  const timer = setInterval(() => {
    stream.write(`${progressLine(shown, done, performance.now() - started, reached)}\n`);
  }, LINE_EVERY_MS);
  try {
    return await work({ to: (now, place) => void ([done, reached] = [now, place]) });
  } finally {
    clearInterval(timer);
  }
}

/** One line of progress, such as `reading the topic [##########··········]  50 %, 1200 of 2400, 400/s, 3 s left`. */
export function progressLine(
  { what, total }: Shown,
  done: number,
  elapsedMs: number,
  place?: string,
): string {
  const perSecond = elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0;
  const rate = done > 0 && perSecond > 0 ? [rateOf(perSecond)] : [];
  const reached = place === undefined ? [] : [place];
  if (total === undefined) return [`${what}: ${done}`, ...rate, ...reached].join(', ');
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const bar = cliProgress.Format.BarFormat(share, barOptions);
  const left = done < total && perSecond > 0 ? [`${durationOf((total - done) / perSecond)} left`] : [];
  const percentage = `${String(Math.floor(share * 100)).padStart(3)} %`;
  return [`${what} [${bar}] ${percentage}`, `${done} of ${total}`, ...rate, ...left, ...reached].join(', ');
}

const BAR_LENGTH = 20;
const barOptions = {
  barsize: BAR_LENGTH,
  barCompleteString: '#'.repeat(BAR_LENGTH),
  barIncompleteString: '·'.repeat(BAR_LENGTH),
  barGlue: '',
};

function rateOf(perSecond: number): string {
  return perSecond >= 10 ? `${Math.round(perSecond)}/s` : `${perSecond.toFixed(1)}/s`;
}

function durationOf(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
