/** What program.ts hands to each group of commands. */
import type { Context } from './context.ts';
import type { Output, Streams } from './output.ts';

/** 0: done. Scripts rely on the other values too. */
export const exitCodes = { amiss: 1, usage: 2, unavailable: 3, notFound: 4, interrupted: 130 } as const;

/** One invocation, as the actions of a group of commands see it. */
export interface Invocation {
  readonly context: Context;
  readonly streams: Streams;
  /** Writes answers in the form that `--json` selects; available once the options are parsed. */
  readonly output: () => Output;
  /** Sets the exit code of a command that ends without an error. */
  readonly finish: (code: number) => void;
}
