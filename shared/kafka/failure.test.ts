import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../platform/errors.ts';
import { failureOf } from './failure.ts';

type KafkaError = new (cause: unknown, options?: object) => Error;
const internals = createRequire(import.meta.url);
const { KafkaJSNumberOfRetriesExceeded, KafkaJSConnectionError, KafkaJSNonRetriableError } = internals(
  'kafkajs/src/errors.js',
) as Record<string, KafkaError>;
const { errorCodes, createErrorFromCode } = internals('kafkajs/src/protocol/error.js') as {
  errorCodes: { type: string; code: number; retriable: boolean }[];
  createErrorFromCode: (code: number) => Error;
};

const codeOf = (error: unknown) => failureOf(error, 'event.unsendable').code;
/** As kafkajs gives an error up. */
const givenUp = (cause: Error) =>
  new KafkaJSNumberOfRetriesExceeded!(cause, { retryCount: 2, retryTime: 100, cause });

describe('a failure of the client', () => {
  it.each([
    ['a refused connection', givenUp(new KafkaJSConnectionError!('connect ECONNREFUSED'))],
    ['an error of the socket', Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' })],
    ['an outage that is called final', new KafkaJSNonRetriableError!('x', { cause: aConnectionError() })],
    ['one of ours', new ServiceError('kafka.unavailable')],
  ])('is an outage: %s', (_, error) => {
    expect(codeOf(error)).toBe('kafka.unavailable');
  });

  it.each([
    ['a TypeError', new TypeError('x')],
    ['a TypeError that was repeated', givenUp(new TypeError('x'))],
    ['a message that kafkajs refuses', new KafkaJSNonRetriableError!('Invalid message without value')],
    ['a codec that is not there', Object.assign(new Error('x'), { name: 'KafkaJSNotImplemented' })],
    ['what is no error', 'a string'],
    ['nothing', undefined],
  ])('is a fault of the message or of ours: %s', (_, error) => {
    expect(failureOf(error, 'event.unsendable')).toMatchObject({
      code: 'event.unsendable',
      retriable: false,
    });
  });

  it('is judged alike for every error that a broker can answer', () => {
    const others = errorCodes
      .map(({ type, code }) => ({ type, code: codeOf(createErrorFromCode(code)) }))
      .filter(({ code }) => code !== 'kafka.unavailable');
    expect(Object.groupBy(others, ({ code }) => code)).toEqual({
      'event.too_large': ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'].map((type) => ({
        type,
        code: 'event.too_large',
      })),
      'event.unsendable': [
        'CORRUPT_MESSAGE',
        'INVALID_TIMESTAMP',
        'UNSUPPORTED_FOR_MESSAGE_FORMAT',
        'INVALID_RECORD',
      ].map((type) => ({ type, code: 'event.unsendable' })),
    });
  });

  it('ends with a chain of causes that ends nowhere', () => {
    const error = new Error('x');
    error.cause = error;
    expect(codeOf(error)).toBe('event.unsendable');
  });
});

function aConnectionError(): Error {
  return new KafkaJSConnectionError!('Connection timeout');
}
