import { describe, expect, expectTypeOf, it } from 'vitest';
import { ServiceError } from './errors.ts';
import { createLog, errorFields, type Log } from './log.ts';
import type { Personal } from './personal.ts';
import { continueTrace, traceparentOf, withTrace } from './trace.ts';

function collect(work: (log: Log) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  work(createLog({ service: 'test', project: 'p', destination: { write: (line) => void lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('a log line', () => {
  it('has the fields that Cloud Logging reads', () => {
    const [line] = collect((log) => log.warn('careful', { patient_id: 7 }));
    expect(line).toMatchObject({ severity: 'WARNING', message: 'careful', patient_id: 7 });
    expect(line!['time']).toMatch(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/);
  });

  it('carries the trace it was written in', () => {
    const traceId = 'a'.repeat(32);
    const [line] = collect((log) =>
      withTrace(continueTrace(`00-${traceId}-${'b'.repeat(16)}-01`), () => log.info('within')),
    );
    expect(line).toMatchObject({ 'logging.googleapis.com/trace': `projects/p/traces/${traceId}` });
  });

  it('of record() is written at every level', () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const log = createLog({ service: 'test', project: 'p', level: 'error', destination });
    log.info('talk');
    log.record('audit', { patient_id: 7 });
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { severity: 'INFO', message: 'audit', patient_id: 7 },
    ]);
  });

  it('does not accept personal data', () => {
    const reason = 'Lena' as Personal<string>;
    // @ts-expect-error a personal value is no log field
    const [line] = collect((log) => log.info('x', { reason }));
    expectTypeOf(reason).toExtend<string>();
    expect(line).toBeDefined();
  });
});

describe('the fields of an error', () => {
  it('are its code and frames, not the message of a library', () => {
    const cause = Object.assign(new Error('No such object: incoming/Lena Beispiel.json'), { code: 404 });
    const text = JSON.stringify(errorFields(new ServiceError('storage.unavailable', { cause })));
    expect(text).toContain('storage.unavailable');
    expect(text).toContain('[404]');
    expect(text).not.toMatch(/Lena|Beispiel/);
  });

  it.each([
    'at Lena Beispiel',
    'at Lena (file:///Beispiel:1:2)',
    'at Lena Beispiel:1:2',
    'at async Lena (index 0)',
  ])('are no line of the message, even if it reads "%s"', (line) => {
    const cause = new Error(`No such object: incoming/\n    ${line}\n    ${line}`);
    const text = JSON.stringify(errorFields(new ServiceError('storage.unavailable', { cause })));
    expect(text).toContain('log.test.ts');
    expect(text).not.toMatch(/Lena|Beispiel/);
  });

  it('are the type alone for a thrown value that is not an error', () => {
    expect(errorFields('Lena')).toEqual({ error_class: 'string' });
    expect(errorFields(undefined)).toEqual({});
  });
});

describe('a trace', () => {
  it('continues under the same id with a new span', () => {
    const first = continueTrace(undefined);
    const second = continueTrace(traceparentOf(first));
    expect(second.traceId).toBe(first.traceId);
    expect(second.spanId).not.toBe(first.spanId);
  });

  it.each(['', 'nonsense', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`])(
    'starts anew after "%s"',
    (header) => {
      expect(continueTrace(header).traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    },
  );
});
