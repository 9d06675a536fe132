/**
 * Reads untrusted JSON into the patient's types: blank text becomes null, every broken rule is reported at
 * once with its JSON pointer (RFC 6901), and no value of the input appears in a report.
 */
import type { z } from 'zod';
import { isCalendarDate, type BerlinDate } from '../platform/clock.ts';
import type { Violation } from '../platform/errors.ts';
import { BLANK_IS_NULL, PAST_DATES, SERVICE_FIELDS } from './schema.ts';
import { isBlank } from './text.ts';

/** The value, or every violation of the input. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly violations: readonly Violation[] };

/**
 * Reads fields of a patient.
 * @param today the Berlin date after which a birth date or a past session lies in the future
 * @param at pointer to `input` within the whole document
 */
export function readPatientFields<T>(
  schema: z.ZodType<T>,
  input: unknown,
  today: BerlinDate,
  at = '',
): Reading<T> {
  const prepared = isRecord(input) ? blankToNull(input) : input;
  const parsed = schema.safeParse(prepared);
  const violations = [
    ...(parsed.success ? [] : violationsOf(parsed.error, at)),
    ...(isRecord(prepared) ? futureDates(prepared, today, at) : []),
  ];
  return parsed.success && violations.length === 0
    ? { ok: true, value: parsed.data }
    : { ok: false, violations };
}

/** True of a JSON object: neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function blankToNull(input: Record<string, unknown>): Record<string, unknown> {
  // fromEntries defines own properties, so a hostile `__proto__` key stays a key and is refused as unknown.
  return Object.fromEntries(
    Object.entries(input).map(([key, value]) => [
      key,
      BLANK_IS_NULL.has(key) && typeof value === 'string' && isBlank(value) ? null : value,
    ]),
  );
}

function futureDates(input: Record<string, unknown>, today: BerlinDate, at: string): Violation[] {
  return PAST_DATES.filter((name) => {
    const value = input[name];
    return typeof value === 'string' && isCalendarDate(value) && value > today;
  }).map((name) => ({ pointer: `${at}/${name}`, detail: 'must not be in the future' }));
}

/** The violations behind a failed parse. */
export function violationsOf(error: z.ZodError, at = ''): Violation[] {
  const wrongTypes = error.issues.filter((issue) => issue.code === 'invalid_type');
  const mistyped = new Set(wrongTypes.map((issue) => pointerTo(issue.path)));
  return (
    error.issues
      // zod reports a text in place of a list also as a list that is too long; report the wrong type only.
      .filter((issue) => issue.code === 'invalid_type' || !mistyped.has(pointerTo(issue.path)))
      .flatMap((issue) => violationsOfIssue(issue, at))
  );
}

function violationsOfIssue(issue: z.core.$ZodIssue, at: string): Violation[] {
  const pointer = at + pointerTo(issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, pointer));
    case 'invalid_type':
      return [
        {
          pointer,
          detail: issue.message.endsWith('received undefined')
            ? 'is required'
            : `must be ${nameOf(issue.expected)}`,
        },
      ];
    case 'invalid_value':
      return [{ pointer, detail: `must be one of ${issue.values.map(String).join(', ')}` }];
    case 'invalid_union':
      return unionViolations(issue, pointer);
    default:
      return [{ pointer, detail: issue.message }];
  }
}

/** When exactly one branch fits the value's shape, its violations are more precise than the union's. */
function unionViolations(issue: z.core.$ZodIssueInvalidUnion, pointer: string): Violation[] {
  const near = issue.errors.find((branch) =>
    branch.every((inner) => inner.path.length > 0 || inner.code !== 'invalid_type'),
  );
  if (near === undefined) return [{ pointer, detail: issue.message }];
  return near.flatMap((inner) => violationsOfIssue(inner, pointer));
}

function unknownKey(key: string, parent: string): Violation {
  if (SERVICE_FIELDS.has(key)) {
    return { pointer: `${parent}/${key}`, detail: 'is set by the service and cannot be written' };
  }
  // A key is input too: unless it looks like a field name, it may be a person's name.
  return /^[a-z0-9_]{1,64}$/.test(key)
    ? { pointer: `${parent}/${key}`, detail: 'is not a known field' }
    : { pointer: parent, detail: 'has a key that is not a known field' };
}

function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function nameOf(type: string): string {
  if (type === 'int') return 'an integer';
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}
