import { describe, expect, it } from 'vitest';
import { closing, kafkaCorner } from '../../test/support/kafka.ts';
import { openDeadLetterBook, resolve } from './dead-letter-book.ts';
import { writeDeadLetter } from './dead-letters.ts';
import type { Headers, IncomingMessage } from './ports.ts';
import { createPublisher } from './publish.ts';

const kafka = await kafkaCorner();
const at = '2026-11-28T10:00:00.000Z';

async function aBook(name: string) {
  const topic = await kafka.topic(name, 1);
  const publisher = closing(createPublisher(kafka.client));
  const book = openDeadLetterBook(kafka.client, topic, `${topic}-ops`);
  const die = (offset: number, headers: Headers = {}) => {
    const message: IncomingMessage = {
      topic,
      partition: 0,
      offset: BigInt(offset),
      timestamp: 0,
      key: Buffer.from('k'),
      value: Buffer.from('broken'),
      headers,
    };
    return writeDeadLetter(
      publisher,
      message,
      { code: 'event.not_json', attempts: 1, error: undefined },
      new Date(),
    );
  };
  return {
    topic,
    publisher,
    book,
    die,
    /** As somebody else with access to the topic would write. */
    forge: (headers: Headers, value: string | null = 'x') =>
      publisher.publish([{ topic: `${topic}.dlq`, key: 'k', value, headers }]),
    open: async () => {
      await book.refresh();
      return book.open().map(({ reason }) => (reason === undefined ? 'unreadable' : reason.origin.offset));
    },
  };
}

describe('the open dead letters', () => {
  it('cannot be hidden by what stood in the headers of a message that died', async () => {
    const { die, open } = await aBook('hidden');
    await die(1);
    await die(2, {
      'dlq-resolved-offset': '0',
      'dlq-resolution': 'dropped',
      'dlq-resolved-at': at,
      'DLQ-Resolved-Offset': '0',
    });
    await die(3, { 'dlq-origin-offset': 'abc', 'dlq-origin-topic': 'patient-events' });

    expect(await open()).toEqual([1n, 2n, 3n]);
  });

  it.each<[string, Headers, (string | null)?]>([
    ['an offset alone', { 'dlq-resolved-offset': '0' }, null],
    ['a value', { 'dlq-resolved-offset': '0', 'dlq-resolution': 'dropped', 'dlq-resolved-at': at }],
    [
      'another header',
      { 'dlq-resolved-offset': '0', 'dlq-resolution': 'dropped', 'dlq-resolved-at': at, ce_id: '1' },
      null,
    ],
    ['no decision', { 'dlq-resolved-offset': '0', 'dlq-resolution': 'hidden', 'dlq-resolved-at': at }, null],
    [
      'an offset to come',
      { 'dlq-resolved-offset': '99', 'dlq-resolution': 'dropped', 'dlq-resolved-at': at },
      null,
    ],
  ])('are not resolved by a message with %s', async (name, headers, value) => {
    const { die, forge, open } = await aBook(`forged-${name.replaceAll(' ', '-')}`);
    await die(1);
    await forge(headers, value);
    expect(await open()).toEqual([1n, 'unreadable']);
  });

  it('list what cannot be read, and can be rid of it', async () => {
    const { topic, publisher, book, die, forge, open } = await aBook('unreadable');
    const sound = {
      'dlq-origin-topic': topic,
      'dlq-origin-partition': '0',
      'dlq-origin-offset': '7',
      'dlq-error-class': 'event.not_json',
      'dlq-error-message': 'x',
      'dlq-attempts': '1',
      'dlq-failed-at': at,
    };
    const broken: Record<string, string | null>[] = [
      ...['abc', '', '-1', '1e3', '007', '9'.repeat(19), '9'.repeat(100_000)].map((offset) => ({
        'dlq-origin-offset': offset,
      })),
      { 'dlq-origin-offset': null },
      { 'dlq-origin-partition': '4294967296' },
      { 'dlq-origin-topic': 'patient-events' },
      { 'dlq-attempts': 'NaN' },
      { 'dlq-error-class': '<b>' },
      { 'dlq-failed-at': 'yesterday' },
    ];
    await die(1);
    await forge(sound);
    for (const headers of broken) await forge({ ...sound, ...headers });
    await forge({});
    await forge({}, null);

    const unreadable = broken.map(() => 'unreadable').concat(['unreadable', 'unreadable']);
    expect(await open()).toEqual([1n, 7n, ...unreadable]);
    for (const letter of book.open()) await resolve(publisher, letter, 'dropped', new Date());
    expect(await open()).toEqual([]);
  });
});
