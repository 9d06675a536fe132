/** Entity tags (RFC 9110, 8.8.3). A patient's tag is the number of their last event, because every change has one. */
import { ServiceError } from '../../shared/platform/errors.ts';

export function entityTag(version: number): string {
  return `"${version}"`;
}

/**
 * Checks `If-Match` with strong comparison: a weak tag never matches.
 * @throws ServiceError `request.precondition_failed` when no tag matches
 */
export function requireMatch(ifMatch: string | undefined, version: number): void {
  if (ifMatch === undefined || names(ifMatch, entityTag(version))) return;
  throw new ServiceError('request.precondition_failed');
}

/** Checks `If-None-Match` with weak comparison. @returns true when the caller has this version */
export function isKnown(ifNoneMatch: string | undefined, version: number): boolean {
  return ifNoneMatch !== undefined && names(ifNoneMatch.replaceAll('W/', ''), entityTag(version));
}

function names(list: string, tag: string): boolean {
  return list.split(',').some((one) => one.trim() === '*' || one.trim() === tag);
}
