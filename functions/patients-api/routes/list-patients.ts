/** GET /api/patients: a page of patients, newest first, by page number or by token. */
import { z } from 'zod';
import { patientId } from '../../../shared/patient/schema.ts';
import { wordsOf } from '../../../shared/patient/search.ts';
import { timestamp, trimmed } from '../../../shared/patient/text.ts';
import { PATIENTENSTATUS } from '../../../shared/patient/vocabulary.ts';
import { ServiceError } from '../../../shared/platform/errors.ts';
import { listPatients } from '../../../shared/store/patient-list.ts';
import { searchPatients } from '../../../shared/store/patient-search.ts';
import { noteSubjects } from '../audit.ts';
import { pageToken, readPageToken } from '../page-token.ts';
import { integerParameter, limitParameter, pageTokenParameter, readQuery } from '../parameters.ts';
import type { Route } from '../route.ts';

const query = z.strictObject({
  status: z.enum(PATIENTENSTATUS).optional(),
  search: z
    .string()
    .overwrite(trimmed)
    .max(255, 'must have at most 255 characters')
    .optional()
    .describe(
      'Words, each of which is a part of first name, last name or e-mail address; case, accents and the kind of apostrophe do not count',
    ),
  limit: limitParameter,
  page: integerParameter(1, 10_000, 1),
  page_token: pageTokenParameter,
});

const count = z.int().min(0);

/** No list is longer. Anybody can make a token, and the next page's number must still be a safe integer. */
const MAX_COUNT = 2 ** 31;

/** Where a page begins: after this patient; which page that is, and what the pages before it found out. */
const position = z.strictObject({
  created_at: timestamp,
  id: patientId,
  page: count.min(1),
  total: count.nullable().optional(),
  found: count.optional(),
  skip: count.optional(),
});
const acceptedPosition = position.refine(
  ({ page, found = 0, skip = 0 }) => Math.max(page, found, skip) < MAX_COUNT,
);

export const listPatientsRoute: Route = {
  method: 'GET',
  path: '/api/patients',
  role: 'reader',
  summary: 'List and search patients',
  query,
  answers: { 200: { description: 'A page of patients, newest first', schema: 'PatientPage' } },
  problems: ['request.invalid_parameter'],
  async handle(call, { db }) {
    const { status, search, limit = 20, page: wanted, page_token } = readQuery(query, call);
    if (wanted !== undefined && page_token !== undefined) {
      throw new ServiceError('request.invalid_parameter', {
        violations: [{ pointer: '/page', detail: 'must not be given together with page_token' }],
      });
    }
    const list = ['patients', status, search];
    const after = page_token === undefined ? undefined : readPageToken(page_token, acceptedPosition, list);
    const page = after?.page ?? wanted ?? 1;
    const offset = after === undefined ? (page - 1) * limit : 0;
    const words = wordsOf(search ?? '');
    const { patients, total, next } =
      words.length === 0
        ? await listPatients(db, status, { limit, after, offset })
        : await searchPatients(db, status, words, { limit, after, offset });
    noteSubjects(
      call,
      patients.map(({ id }) => id),
    );
    return call.json({
      data: patients,
      page,
      limit,
      total,
      next_page_token:
        next === undefined ? null : pageToken(position.parse({ ...next, page: page + 1 }), list),
    });
  },
};
