/**
 * Writes the committed contracts from the code (`npm run contract`): docs/openapi.json, docs/asyncapi.json, the
 * schemas of the published events by version, the table of patient fields in docs/domain.md, and the tables and examples
 * of docs/events.md. A change that breaks readers of a version is refused.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { openApiDocument } from '../functions/patients-api/openapi.ts';
import { routes } from '../functions/patients-api/routes/index.ts';
import { asyncApiDocument, patientEventJsonSchemas } from '../shared/events/asyncapi.ts';
import { breakingChanges } from '../shared/events/compatibility.ts';
import { ENVELOPE_VERSION } from '../shared/events/envelope.ts';
import { eventsPage, updatedEventsPage } from './events-page.ts';
import { fieldTablePage, pageWithFieldTable } from './field-table.ts';

const docs = new URL('../docs/', import.meta.url);
export const baselineFile = new URL(`event-schemas/${ENVELOPE_VERSION}.json`, docs);

/** File → its generated content. */
export async function contracts(): Promise<Map<URL, string>> {
  const text = (document: object) => `${JSON.stringify(document, undefined, 2)}\n`;
  return new Map([
    [new URL('openapi.json', docs), text(openApiDocument(routes))],
    [new URL('asyncapi.json', docs), text(asyncApiDocument())],
    [baselineFile, text(patientEventJsonSchemas())],
    [fieldTablePage, await pageWithFieldTable()],
    [eventsPage, await updatedEventsPage()],
  ]);
}

/** Changes of the events that break readers of the committed schemas of the same version. */
export async function breaksOfThisVersion(): Promise<string[]> {
  if (!existsSync(baselineFile)) return [];
  const committed = JSON.parse(await readFile(baselineFile, 'utf8')) as Record<string, object>;
  const current: Record<string, object> = patientEventJsonSchemas();
  return Object.entries(committed).flatMap(([type, schema]) =>
    breakingChanges(schema, current[type] ?? {}).map((change) => `${type} ${change}`),
  );
}

if (import.meta.main) {
  const breaks = await breaksOfThisVersion();
  if (breaks.length > 0) {
    console.error(`These changes need a higher ENVELOPE_VERSION:\n  ${breaks.join('\n  ')}`);
    process.exitCode = 1;
  } else {
    for (const [file, text] of await contracts()) await writeFile(file, text);
    console.log('wrote the contracts below docs/');
  }
}
