import { describe, expect, it } from 'vitest';
import { errorCodes, fateOf, ServiceError } from './errors.ts';
import { problemOf } from './problem-details.ts';

describe('a problem document', () => {
  it.each(errorCodes)('of %s has the status and the title of the table', (code) => {
    const { details, headers } = problemOf(new ServiceError(code));
    const { status, title } = fateOf(code);
    expect(details).toEqual({
      type: `urn:patient-service:problem:${code}`,
      title,
      status,
      message: title,
      errors: [],
    });
    expect(headers['content-type']).toBe('application/problem+json');
    expect('retry-after' in headers).toBe(status === 503);
    expect('www-authenticate' in headers).toBe(status === 401);
  });

  it('carries the violations', () => {
    const violations = [{ pointer: '/plz', detail: 'must be a German postal code of 5 digits' }];
    expect(problemOf(new ServiceError('patient.invalid', { violations })).details.errors).toEqual(violations);
  });

  it('reveals nothing about a foreign error or a cause', () => {
    const foreign = new Error('5 NOT_FOUND: documents/patients/Lena Beispiel');
    for (const error of [foreign, 'Lena', new ServiceError('store.unavailable', { cause: foreign })]) {
      expect(JSON.stringify(problemOf(error))).not.toContain('Lena');
    }
    expect(problemOf(foreign).code).toBe('internal');
  });
});
