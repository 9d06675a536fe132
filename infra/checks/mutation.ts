/** For the tests of the checks: returns the real files with one deliberate mistake. */
import { parseSources, type Configuration, type Sources } from './hcl.ts';

/** @throws Error when `before` is not in the file exactly once, so that every mutation changes something */
export function withMistake(
  sources: Sources,
  file: string,
  before: string,
  after: string,
): Promise<Configuration> {
  const text = sources[file] ?? '';
  if (text.split(before).length !== 2) throw new Error(`${file} does not hold exactly one: ${before}`);
  return parseSources({ ...sources, [file]: text.replace(before, () => after) });
}
