/**
 * The generated blocks of docs/events.md: for each event when it is sent, its fields and an example. The text around the
 * blocks is written by hand; `npm run contract` writes the blocks, and a test fails when they are out of date.
 */
import { readFile } from 'node:fs/promises';
import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';
import { communicationEventPayloads, therapistEventPayloads } from '../shared/events/consumed-events.ts';
import {
  foreignEnvelope,
  readEnvelope,
  writeEnvelope,
  type NumberedEnvelope,
} from '../shared/events/envelope.ts';
import { cloudEventHeaders } from '../shared/events/headers.ts';
import {
  patientEventPayloads,
  patientEventSchema,
  type PatientEventType,
} from '../shared/events/patient-events.ts';
import { changePatient, registerPatient } from '../shared/patient/change.ts';
import { causedByErasure } from '../shared/patient/consequences.ts';
import { examplePatient } from '../shared/patient/example.ts';
import { newPatientSchema, patchSchema, patientId } from '../shared/patient/schema.ts';
import { deadLetterCodes, fateOf } from '../shared/platform/errors.ts';
import { typeInWords } from './schema-words.ts';

export const eventsPage = new URL('../docs/events.md', import.meta.url);

/** The page with current blocks. @throws Error when an example breaks its own schema */
export async function updatedEventsPage(): Promise<string> {
  const blocks = {
    envelope: fieldTable(publishedEnvelope),
    headers: headerTable(),
    published: publishedEvents(),
    'received-envelope': fieldTable(foreignEnvelope),
    communication: receivedEvents(communicationEventPayloads, receivedExamples),
    therapists: receivedEvents(therapistEventPayloads, receivedExamples),
    'dead-letters': deadLetterTable(),
  };
  let page = await readFile(eventsPage, 'utf8');
  for (const [name, text] of Object.entries(blocks)) {
    const block = new RegExp(`(<!-- ${name} -->\n)[^]*(<!-- /${name} -->)`);
    if (!block.test(page)) throw new Error(`docs/events.md has no block ${name}`);
    page = page.replace(block, (_, open: string, close: string) => `${open}${text}\n${close}`);
  }
  return page;
}

/** The part that the schemas of all types share. */
const publishedEnvelope = patientEventSchema('patient.created').extend({
  eventType: z.enum(Object.keys(patientEventPayloads)).describe('What happened'),
  payload: z.looseObject({}).describe('The data of the event, see its type'),
});

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** Name, type and meaning of each key; the payload's keys are listed with its event. */
function fieldTable(schema: z.ZodType): string {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const rows = Object.entries(properties as Record<string, JsonSchema>).map(([name, property]) =>
    [
      `\`${name}\`${required.includes(name) ? '' : ' (optional)'}`,
      name === 'patient_data' ? '[all fields](domain.md#patient-fields)' : typeInWords(property),
      property.description ?? '',
    ].join(' | '),
  );
  return ['| Key | Type | Meaning |', '|---|---|---|', ...rows.map((row) => `| ${row} |`)].join('\n');
}

function headerTable(): string {
  const { eventId, eventType, timestamp } = story()['patient.created'];
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const headers = cloudEventHeaders({ eventId, eventType, timestamp, traceparent });
  const rows = Object.entries(headers).map(([name, value]) => `| \`${name}\` | \`${value}\` |`);
  return ['| Header | Example |', '|---|---|', ...rows].join('\n');
}

function publishedEvents(): string {
  const types = Object.keys(patientEventPayloads) as PatientEventType[];
  const examples = story();
  return types
    .map((type) => {
      const event = patientEventSchema(type).parse(examples[type]);
      const isFirst = type === 'patient.created';
      return section(type, patientEventPayloads[type], isFirst ? json(event) : abbreviated(event));
    })
    .join('\n\n');
}

function receivedEvents(
  payloads: Readonly<Record<string, z.ZodType>>,
  examples: Readonly<Record<string, object>>,
): string {
  return Object.entries(payloads)
    .map(([type, schema]) => {
      const message = {
        eventId: '6f3b0f5e-8f7e-4a55-9d0c-2f7f6f0d8a11',
        eventType: type,
        version: '1.0',
        timestamp: utc(START),
        producer: 'another-service',
        payload: examples[type],
      };
      schema.parse(readEnvelope(Buffer.from(JSON.stringify(message)), START).payload);
      return section(type, schema, json(message));
    })
    .join('\n\n');
}

function section(type: string, payload: z.ZodType, example: string): string {
  return [`### \`${type}\``, `${payload.description ?? ''}.`, `Payload:`, fieldTable(payload), example].join(
    '\n\n',
  );
}

function json(value: object): string {
  return `\`\`\`json\n${JSON.stringify(value, undefined, 2)}\n\`\`\``;
}

/** Only the first example writes the patient out. */
function abbreviated(event: { payload: object }): string {
  const mark = 'as above';
  if (!('patient_data' in event.payload)) return json(event);
  const short = { ...event.payload, patient_data: mark };
  const text = JSON.stringify({ ...event, payload: short }, undefined, 2);
  return `\`\`\`jsonc\n${text.replace(`"${mark}"`, '{ /* all fields, as in the first example */ }')}\n\`\`\``;
}

function deadLetterTable(): string {
  const rows = deadLetterCodes.map((code) => `| \`${code}\` | ${fateOf(code).title} |`);
  return ['| `dlq-error-class` | Reason |', '|---|---|', ...rows].join('\n');
}

const START = Temporal.Instant.from('2026-11-02T09:10:11.123Z');
const utc = (at: Temporal.Instant) => at.toString({ fractionalSecondDigits: 3 });

/** One invented patient from the registration to the erasure; the first event of each type. */
function story(): Record<PatientEventType, NumberedEnvelope> {
  const id = patientId.parse(4711);
  const day = (days: number) => START.add({ hours: 24 * days });
  const registered = registerPatient(
    id,
    newPatientSchema.parse({
      ...examplePatient,
      zahlungsreferenz: '9c1f04ab',
      vertraege_unterschrieben: true,
    }),
    START,
  );
  const paid = changePatient(registered.patient, { zahlung_eingegangen: true }, day(1));
  const exclusion = { id: 7, reason: 'Kein freier Platz' };
  const excluding = patchSchema.parse({ ausgeschlossene_therapeuten: [exclusion] });
  const excluded = changePatient(paid.patient, excluding, day(2));
  const changes = [
    { at: START, events: registered.events },
    { at: day(1), events: paid.events },
    { at: day(2), events: excluded.events },
    { at: day(90), events: causedByErasure(id).events },
  ];
  const written = changes
    .flatMap(({ at, events }) => events.map((event) => ({ at, event })))
    .map(({ at, event }, place) =>
      writeEnvelope(event, {
        eventId: `0d9f1c9e-5f6c-4b0e-9f0a-3a1f6a3d9b1${place + 1}`,
        sequence: place + 1,
        at,
      }),
    );
  const first = written.reverse().map((event) => [event.eventType, event] as const);
  return Object.fromEntries(first) as Record<PatientEventType, NumberedEnvelope>;
}

type Consumed = keyof typeof communicationEventPayloads | keyof typeof therapistEventPayloads;

const receivedExamples: Readonly<Record<Consumed, object>> = {
  'email.sent': {
    email_id: 815,
    email_data: { betreff: 'Ihre Anmeldung' },
    communication_type: 'patient',
    patient_id: 4711,
    therapist_id: null,
  },
  'email.response_received': {
    email_id: 816,
    email_data: { betreff: 'Re: Ihre Anmeldung' },
    communication_type: 'patient',
    patient_id: 4711,
    therapist_id: null,
  },
  'phone_call.completed': {
    call_id: 'c-42',
    call_data: { dauer_minuten: 6 },
    communication_type: 'patient',
    patient_id: 4711,
    therapist_id: null,
    outcome: 'Termin vereinbart',
  },
  'therapist.blocked': { therapist_id: 7, therapist_data: { titel: 'Dr.' }, reason: 'Urlaub' },
  'therapist.unblocked': { therapist_id: 7, therapist_data: { titel: 'Dr.' } },
};
