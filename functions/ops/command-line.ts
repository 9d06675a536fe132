/** What program.ts hands to each group of commands. */
import type { Context } from './context.ts';
import type { Output, Streams } from './output.ts';

/** 0: done. The others are promises to scripts. */
export const exitCodes = { amiss: 1, usage: 2, unavailable: 3, notFound: 4, interrupted: 130 } as const;

/** The invocation that a group's actions work for. */
export interface Invocation {
  readonly context: Context;
  readonly streams: Streams;
  /** Where answers go, in the form that `--json` chooses; asked once the options are read. */
  readonly output: () => Output;
  /** Sets the exit code of a command that ended without an error. */
  readonly finish: (code: number) => void;
}
