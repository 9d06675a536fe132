/** GET /api/patients/{id}/communication: the communication history of a patient, newest first. */
import { z } from 'zod';
import { timestamp } from '../../../shared/patient/text.ts';
import { readCommunication } from '../../../shared/store/communication-history.ts';
import { readPatient } from '../../../shared/store/patients.ts';
import { pageToken, readPageToken } from '../page-token.ts';
import { limitParameter, pageTokenParameter, readPatientId, readQuery } from '../parameters.ts';
import type { Route } from '../route.ts';

const query = z.strictObject({ limit: limitParameter, page_token: pageTokenParameter });
/** Exact, because anybody can make a token: the database refuses some texts in a way that looks like an outage. */
const position = z.strictObject({ occurred_at: timestamp, event_id: z.uuid() });

export const listCommunicationRoute: Route = {
  method: 'GET',
  path: '/api/patients/{id}/communication',
  role: 'reader',
  summary: 'Read the communication history of a patient',
  query,
  answers: { 200: { description: 'A page of the history, newest first', schema: 'CommunicationPage' } },
  problems: ['patient.not_found', 'request.invalid_parameter'],
  async handle(call, { db }) {
    const id = readPatientId(call);
    const { limit = 20, page_token } = readQuery(query, call);
    const list = ['communication', id];
    const after = page_token === undefined ? undefined : readPageToken(page_token, position, list);
    const [{ entries, next }] = await Promise.all([
      readCommunication(db, id, limit, after),
      readPatient(db, id),
    ]);
    return call.json({
      data: entries,
      limit,
      next_page_token:
        next === undefined
          ? null
          : pageToken({ occurred_at: next.occurred_at, event_id: next.event_id }, list),
    });
  },
};
