/** The committed contracts match the code, are valid, and do not break the readers of our events. */
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { openApiDocument } from '../../functions/patients-api/openapi.ts';
import { routes } from '../../functions/patients-api/routes/index.ts';
import { requestExamples, requestSchemas } from '../../functions/patients-api/schemas.ts';
import { baselineFile, breaksOfThisVersion, contracts } from '../../infra/contract.ts';
import { patientEventJsonSchemas } from '../../shared/events/asyncapi.ts';
import { breakingChanges } from '../../shared/events/compatibility.ts';
import { aPatient } from '../support/builders.ts';

/** Severities of the parser: error and warning. */
const GRAVE: ReadonlySet<number> = new Set([0, 1]);
const BASE = 'https://contract.example/';

const written = await contracts();

describe('the committed documents', () => {
  it.each([...written].map(([file, text]) => [file.pathname.split('/docs/')[1], file, text] as const))(
    'docs/%s is what `npm run contract` writes',
    async (_, file, text) => {
      expect(await readFile(file, 'utf8')).toBe(text);
    },
  );

  it('asyncapi.json has no fault that the parser reports', async () => {
    const asyncapi = await readFile(new URL('../../docs/asyncapi.json', import.meta.url), 'utf8');
    const { document, diagnostics } = await new Parser().parse(asyncapi);
    expect(diagnostics.filter(({ severity }) => GRAVE.has(severity)).map(({ message }) => message)).toEqual(
      [],
    );
    const { components } = JSON.parse(asyncapi) as { components: { messages: object } };
    expect(document?.allMessages().length).toBe(Object.keys(components.messages).length);
  });
});

describe('the OpenAPI document', () => {
  const document = openApiDocument(routes) as {
    paths: Record<string, Record<string, { operationId: string; responses: object }>>;
    components: { schemas: Record<string, object> };
  };

  it('has an operation with a unique name for each route', () => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(operations).toHaveLength(routes.length);
    expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(routes.length);
  });

  it.each(Object.entries(requestExamples))('has a valid example of %s', (name, example) => {
    expect(requestSchemas[name as keyof typeof requestSchemas].safeParse(example).error).toBeUndefined();
  });

  it('has schemas that a validator accepts and that describe a patient', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      ajv.addSchema({ $id: `${BASE}${name}`, ...relocated(schema) });
    }
    const validate = ajv.getSchema(`${BASE}Patient`)!;
    expect(validate(aPatient({ ausgeschlossene_therapeuten: [3], symptome: ['Zwänge'] }))).toBe(true);
    expect(validate({ ...aPatient(), extra: 1 })).toBe(false);
    for (const name of Object.keys(document.components.schemas)) {
      expect(ajv.getSchema(`${BASE}${name}`)).toBeTypeOf('function');
    }
  });
});

/** Rewrites the references between components for a validator that treats each as a separate document. */
function relocated(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', BASE)) as object;
}

describe('a change of an event', () => {
  const before = {
    type: 'object',
    properties: {
      id: { type: 'integer' },
      ort: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      status: { type: 'string', enum: ['a', 'b'] },
      list: { type: 'array', items: { type: 'object', properties: { x: { type: 'string' } } } },
    },
    required: ['id', 'status'],
  };
  const after = (change: (schema: typeof before) => void) => {
    const copy = structuredClone(before);
    change(copy);
    return breakingChanges(before, copy);
  };

  it('does not break readers when it only adds', () => {
    expect(after((schema) => Object.assign(schema.properties, { neu: { type: 'string' } }))).toEqual([]);
    expect(after((schema) => schema.properties.status.enum.push('c'))).toEqual([]);
    expect(after((schema) => schema.required.push('ort'))).toEqual([]);
  });

  it.each<[string, (schema: typeof before) => unknown, string]>([
    ['a field is gone', (schema) => Reflect.deleteProperty(schema.properties, 'ort'), '/ort: is gone'],
    ['a field may be missing', (schema) => schema.required.pop(), '/status: may be missing'],
    ['a type differs', (schema) => (schema.properties.id.type = 'string'), '/id: has another type'],
    [
      'a nullable type differs',
      (schema) => (schema.properties.ort.anyOf[0]!.type = 'integer'),
      '/ort: has another type',
    ],
    ['a value is gone', (schema) => schema.properties.status.enum.pop(), '/status: no longer allows "b"'],
    [
      'a field of an item is gone',
      (schema) => Reflect.deleteProperty(schema.properties.list.items.properties, 'x'),
      '/list/*/x: is gone',
    ],
  ])('breaks them when %s', (_, change, expected) => {
    expect(after((schema) => void change(schema))).toEqual([expected]);
  });

  it('has not broken the readers of this version', async () => {
    expect(await breaksOfThisVersion()).toEqual([]);
  });

  it('is detected in the real events', async () => {
    const committed = JSON.parse(await readFile(baselineFile, 'utf8')) as Record<string, object>;
    const current = JSON.stringify(patientEventJsonSchemas()['patient.created']);
    const renamed = JSON.parse(current.replaceAll('"plz"', '"postleitzahl"')) as object;
    expect(breakingChanges(committed['patient.created']!, renamed)).toContain(
      '/payload/patient_data/plz: is gone',
    );
  });
});
