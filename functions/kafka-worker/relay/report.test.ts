import { Writable } from 'node:stream';
import type { DocumentReference } from '@google-cloud/firestore';
import { expect, it } from 'vitest';
import { createLog } from '../../../shared/platform/log.ts';
import type { OutboxEvent } from '../../../shared/store/outbox-events.ts';
import { reportPublished } from './report.ts';

interface Line {
  readonly metrics?: Readonly<Record<string, number>>;
}

function reported(entries: readonly OutboxEvent[], at: number): Record<string, number> {
  const lines: Line[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)) as Line);
      done();
    },
  });
  reportPublished(createLog({ service: 'test', project: '', destination }), entries, at);
  expect(lines).toHaveLength(entries.length);
  return Object.assign({}, ...lines.map(({ metrics }) => metrics)) as Record<string, number>;
}

const anEvent = (fileUploadedAt: number | undefined): OutboxEvent => ({
  ref: {} as DocumentReference,
  eventId: 'e',
  eventType: 'patient.registered',
  patientId: 1,
  sequence: 1,
  envelope: '{}',
  timestamp: '2026-11-24T08:00:00Z',
  traceparent: undefined,
  committedAt: 5_000,
  notBefore: undefined,
  fileUploadedAt,
});

it('measures from the commit, and for a registration from its file too', () => {
  expect(reported([anEvent(1_000)], 6_000)).toEqual({
    publish_latency_ms: 1_000,
    file_to_event_ms: 5_000,
    events_published: 1,
  });
});

it('measures no file where none was', () => {
  expect(reported([anEvent(undefined)], 6_000)).not.toHaveProperty('file_to_event_ms');
});

it('takes clocks that differ for no time at all', () => {
  expect(reported([anEvent(9_000)], 4_000)).toMatchObject({ publish_latency_ms: 0, file_to_event_ms: 0 });
});
