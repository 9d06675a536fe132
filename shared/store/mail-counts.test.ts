import { describe, expect, it } from 'vitest';
import { counterOf } from './mail-counts.ts';

describe('the counter of a mailbox', () => {
  it.each([
    ['A@x.de', 'a@X.de'],
    ['lena+1@example.org', 'LENA+anything@example.org'],
    ['info@müller.de', 'info@xn--mller-kva.de'],
    ['info@MÜLLER.de', 'info@müller.de'],
    ['jo\u0308rg@example.org', 'jörg@example.org'],
  ])('is the same for %s and %s', (one, other) => {
    expect(counterOf(one)).toBe(counterOf(other));
  });

  it.each([
    ['a.b@example.org', 'ab@example.org'],
    ['lena@example.org', 'lena@example.com'],
    ['+a@example.org', '+b@example.org'],
  ])('is another for %s and %s', (one, other) => {
    expect(counterOf(one)).not.toBe(counterOf(other));
  });

  it('has nothing of the address in it', () => {
    expect(counterOf('lena@example.org')).toMatch(/^[0-9a-f]{64}$/);
  });
});
