/** All routes of the API. A fixed path comes before a pattern that also matches it. */
import { openApiDocument } from '../openapi.ts';
import type { Route } from '../route.ts';
import { patchPatientRoute, putPatientRoute } from './change-patient.ts';
import { contractRoute } from './contract.ts';
import { createPatientRoute } from './create-patient.ts';
import { docsFileRoute, docsRoute } from './docs.ts';
import { erasePatientRoute } from './erase-patient.ts';
import { exportPatientRoute } from './export-patient.ts';
import { importStatusRoute } from './import-status.ts';
import { lastContactRoute } from './last-contact.ts';
import { listCommunicationRoute } from './list-communication.ts';
import { listPatientsRoute } from './list-patients.ts';
import { livezRoute } from './livez.ts';
import { readConsentRoute } from './read-consent.ts';
import { readPatientRoute } from './read-patient.ts';

export const routes: readonly Route[] = [
  listPatientsRoute,
  createPatientRoute,
  importStatusRoute,
  readPatientRoute,
  patchPatientRoute,
  putPatientRoute,
  erasePatientRoute,
  lastContactRoute,
  listCommunicationRoute,
  readConsentRoute,
  exportPatientRoute,
  livezRoute,
  contractRoute(() => openApiDocument(routes)),
  docsRoute,
  docsFileRoute,
];
