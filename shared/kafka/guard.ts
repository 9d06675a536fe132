/**
 * Stores a marker before each message of a partition is processed, and runs suspected messages alone in the process
 * (trial.ts says which).
 */
import type { Marker } from '../platform/in-flight.ts';
import type { SharedLock } from '../platform/shared-lock.ts';
import type { IncomingMessage } from './ports.ts';
import type { Trial } from './trial.ts';

/** What a {@link Guard} needs. */
export interface GuardOptions {
  readonly trial: Trial;
  readonly lock: SharedLock;
  /** Stores a marker. @param message the message that is about to start */
  readonly raise: (message: IncomingMessage, marker: Marker) => Promise<void>;
  /** Once aborted, no more messages start. */
  readonly signal: AbortSignal;
}

/** The guard of one partition: no message starts before a stored marker covers it. */
export class Guard {
  private readonly options: GuardOptions;
  /** The marker that is being stored. */
  private raising: Promise<void> | undefined;

  constructor(options: GuardOptions) {
    this.options = options;
  }

  /** Runs `apply` under a marker, unless the signal was aborted first. @throws what `apply` or `raise` throws */
  run(message: IncomingMessage, apply: () => Promise<void>): Promise<void> {
    const { trial, lock } = this.options;
    return trial.isSuspect(message.offset)
      ? lock.exclusive(() => this.alone(message, apply))
      : lock.shared(() => this.covered(message, apply));
  }

  private async alone(message: IncomingMessage, apply: () => Promise<void>): Promise<void> {
    try {
      await this.covered(message, async () => {
        await apply();
        this.options.trial.acquit(message.offset);
      });
    } finally {
      // A marker that still named the message would blame it for the next death too.
      await this.raise(message).catch(() => undefined);
    }
  }

  private async covered(message: IncomingMessage, apply: () => Promise<void>): Promise<void> {
    const { trial, signal } = this.options;
    trial.begin(message.offset);
    try {
      // Messages that start together wait for one marker. A marker already being stored may not name them all.
      while (!trial.isCovered(message.offset)) await this.raise(message);
      if (!signal.aborted) await apply();
    } finally {
      trial.end(message.offset);
    }
  }

  private raise(message: IncomingMessage): Promise<void> {
    this.raising ??= (async () => {
      const marker = this.options.trial.marker();
      try {
        await this.options.raise(message, marker);
        this.options.trial.raised(marker);
      } finally {
        this.raising = undefined;
      }
    })();
    return this.raising;
  }
}
