/**
 * Ends the process in order after an error that nobody caught. Node and functions-framework would print the whole error,
 * whose message may quote a document, an object's name or a request body.
 */
import { errorFields, type Log } from './log.ts';

/** Call it in an entry point as soon as there is a log. The process ends with code 1, after one line in the log. */
export function endOnUncaughtErrors(log: Log): void {
  const end = (error: unknown) => {
    log.error('An error that nobody caught ends the process', errorFields(error));
    process.exit(1);
  };
  // Before the listeners of functions-framework, which print the error.
  process.prependListener('uncaughtException', end);
  process.prependListener('unhandledRejection', end);
}
