import { expect, it } from 'vitest';
import { createJourneys } from './steps.ts';

const line = (second: number, trace: string, fields: object = {}) => ({
  time: new Date(second * 1000).toISOString(),
  'logging.googleapis.com/trace': `projects/p/traces/${trace}`,
  ...fields,
});

const imported = (record_id: string, outcome = 'imported') => ({
  record_id,
  outcome,
  metrics: { imports: 1, import_latency_ms: 38 },
});
const published = (event_type: string, sequence: number) => ({
  event_type,
  sequence,
  patient_id: 7,
  metrics: { events_published: 1, publish_latency_ms: 12 },
});
const mailed = (record_id: string) => ({ record_id, metrics: { mails_sent: 1 } });
const answered = (route: string) => ({
  metrics: { requests: 1, request_latency_ms: 9 },
  labels: { route },
});

it('follows a file from the bucket to Kafka and to the mail, by record and by trace', () => {
  const journeys = createJourneys();
  journeys.addUpload({ recordId: 'r1', name: 'lena.json', at: 1000 });
  journeys.addLine(line(2, 't1', { ...imported('r1'), patient_id: 7 }));
  journeys.addLine(line(3, 't1', published('patient.created', 1)));
  journeys.addLine(line(4, 't1', mailed('r1')));
  const [journey, ...others] = journeys.latest();
  expect(others).toEqual([]);
  expect(journey).toMatchObject({ title: 'lena.json', patientId: 7 });
  expect(journey?.steps.map(({ station, ms }) => [station, ms])).toEqual([
    ['bucket', null],
    ['import', 38],
    ['kafka', 12],
    ['communication', null],
  ]);
});

it('follows a request, also when its event is logged before its answer', () => {
  const journeys = createJourneys();
  journeys.addLine(line(2, 't2', published('patient.updated', 2)));
  journeys.addLine(line(1, 't2', answered('PATCH /api/patients/{id}')));
  expect(journeys.latest()).toMatchObject([
    {
      title: 'PATCH /api/patients/{id}',
      patientId: 7,
      steps: [{ station: 'api', ms: 9 }, { station: 'kafka' }],
    },
  ]);
});

it('joins an event that is logged before the import has logged its file', () => {
  const journeys = createJourneys();
  journeys.addUpload({ recordId: 'r1', name: 'lena.json', at: 1000 });
  journeys.addLine(line(2, 't1', published('patient.created', 1)));
  const changed = journeys.addLine(line(3, 't1', imported('r1')));
  expect(changed[0]).toMatchObject({ id: 't1', steps: [] });
  expect(journeys.latest()).toMatchObject([{ title: 'lena.json', patientId: 7 }]);
  expect(journeys.latest()[0]?.steps.map(({ station }) => station)).toEqual(['bucket', 'kafka', 'import']);
});

it('marks refused requests and files', () => {
  const journeys = createJourneys();
  journeys.addLine(line(1, 't3', imported('r3', 'failed')));
  journeys.addLine(
    line(1, 't4', { metrics: { dead_letters: 1 }, labels: { topic: 'x', error_code: 'event.not_json' } }),
  );
  expect(journeys.latest().map(({ steps }) => steps[0]?.isGood)).toEqual([false, false]);
});

it('ignores other lines, and keeps a bounded number of journeys', () => {
  const journeys = createJourneys();
  expect(journeys.addLine(line(1, 't'))).toEqual([]);
  expect(journeys.addLine({ ...imported('r') })).toEqual([]);
  for (let n = 0; n < 500; n += 1) journeys.addLine(line(n, `t${n}`, imported(`r${n}`)));
  expect(journeys.latest().length).toBe(60);
  expect(journeys.latest()[0]?.id).toBe('file:r499');
});
