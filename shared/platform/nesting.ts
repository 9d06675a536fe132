/**
 * Limits how deeply foreign JSON is nested before it is stored. JSON.parse reads any depth, but JSON.stringify and many
 * other readers run out of stack at some thousand levels: what one process could still write, another cannot answer with.
 */

/** Levels of arrays and objects that open objects of other services may have. */
export const MAX_LEVELS = 100;

/** True when arrays and objects lie at most `levels` deep in the value. */
export function isNestedAtMost(value: unknown, levels: number): boolean {
  let containers = [value].filter(isContainer);
  for (let left = levels; containers.length > 0; left -= 1) {
    if (left === 0) return false;
    containers = containers.flatMap((one) => Object.values(one).filter(isContainer));
  }
  return true;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
