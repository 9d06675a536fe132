/** The AsyncAPI 3.0 document of all published and consumed events, generated from the schemas that validate them. */
import { z } from 'zod';
import { communicationEventPayloads, therapistEventPayloads } from './consumed-events.ts';
import { foreignEnvelope } from './envelope.ts';
import { cloudEventHeaders } from './headers.ts';
import { patientEventPayloads, patientEventSchema, type PatientEventType } from './patient-events.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The JSON Schema of each published message, by event type. A reader must accept unknown keys. */
export function patientEventJsonSchemas(): Record<PatientEventType, JsonSchema> {
  const types = Object.keys(patientEventPayloads) as PatientEventType[];
  const schemas = types.map((type) => [type, openJsonSchema(patientEventSchema(type))] as const);
  return Object.fromEntries(schemas) as Record<PatientEventType, JsonSchema>;
}

/** The whole document, ready to be written as JSON. */
export function asyncApiDocument(): object {
  const published = patientEventJsonSchemas();
  const communication = consumed(communicationEventPayloads);
  const therapist = consumed(therapistEventPayloads);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Patient service events',
      version: '1.0.0',
      description:
        'Values are UTF-8 JSON. Repeats are possible: a reader ignores an eventId that it has seen. Headers carry the CloudEvents 1.0 binary binding.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: {
      'patient-events': channel(
        'patient-events',
        published,
        'Key: the patient id in decimal. The events of one patient come in the order of their sequence.',
      ),
      'communication-events': channel('communication-events', communication, 'In no order per patient.'),
      'therapist-events': channel('therapist-events', therapist, 'Key: the therapist id.'),
    },
    operations: {
      publishPatientEvents: operation('send', 'patient-events'),
      receiveCommunicationEvents: operation('receive', 'communication-events'),
      receiveTherapistEvents: operation('receive', 'therapist-events'),
    },
    components: {
      messages: {
        ...messages(published, { headers: headersSchema() }),
        ...messages({ ...communication, ...therapist }, {}),
      },
    },
  };
}

function consumed(payloads: Readonly<Record<string, z.ZodType>>): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(payloads).map(([type, payload]) => [
      type,
      openJsonSchema(foreignEnvelope.extend({ eventType: z.literal(type), payload })),
    ]),
  );
}

function openJsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...made } = z.toJSONSchema(schema, {
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      delete jsonSchema.additionalProperties;
    },
  });
  return made;
}

function channel(
  address: string,
  schemas: Readonly<Record<string, JsonSchema>>,
  description: string,
): object {
  return {
    address,
    description,
    messages: Object.fromEntries(
      Object.keys(schemas).map((type) => [type, { $ref: `#/components/messages/${type}` }]),
    ),
  };
}

function operation(action: 'send' | 'receive', address: string): object {
  return { action, channel: { $ref: `#/channels/${address}` } };
}

function messages(schemas: Readonly<Record<string, JsonSchema>>, common: object): object {
  return Object.fromEntries(
    Object.entries(schemas).map(([type, payload]) => [
      type,
      { name: type, title: type, contentType: 'application/json', ...common, payload },
    ]),
  );
}

function headersSchema(): object {
  const example = cloudEventHeaders({ eventId: '', eventType: '', timestamp: '', traceparent: '' });
  const names = Object.keys(example);
  return {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    required: names.filter((name) => name !== 'traceparent'),
  };
}
