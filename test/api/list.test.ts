/** Listing and searching: order, pages, totals and hits. */
import { beforeAll, describe, expect, it } from 'vitest';
import { pageToken } from '../../functions/patients-api/page-token.ts';
import { registerPatient } from '../../shared/patient/change.ts';
import { patientId, type Patient } from '../../shared/patient/schema.ts';
import { addPatient } from '../../shared/store/patients.ts';
import { startApi, type Api } from '../support/api.ts';
import { AUTUMN, aNewPatient } from '../support/builders.ts';

interface Page {
  data: Patient[];
  page: number;
  limit: number;
  total: number | null;
  next_page_token: string | null;
  errors: { pointer: string }[];
}

const persons = [
  { vorname: 'Zoë', nachname: 'Groß' },
  { vorname: 'Zoe', nachname: 'Gross', status: 'in_Therapie' },
  { vorname: 'Jürgen', nachname: 'Müller', email: 'juergen.mueller@example.org' },
  { vorname: 'Ann', nachname: '100%_Sicher' },
  { vorname: 'Ann', nachname: '100xSicher' },
  { vorname: 'Seán', nachname: 'O’Neill', email: 'sean@bürger.de' },
  { vorname: 'Łucja', nachname: 'Ærø-Đorđević' },
  ...Array.from({ length: 25 }, (_, at) => ({ vorname: 'Kim', nachname: `Reihe${at}` })),
];

/** Outside of the range of ids that the service allocates. */
const FIRST_ID = 5001;

let api: Api;
beforeAll(async () => {
  api = await startApi();
  const batch = api.db.batch();
  persons.forEach((person, at) => {
    // Pairs have the same time, so that the id decides their order.
    const created = registerPatient(
      patientId.parse(FIRST_ID + at),
      aNewPatient(person),
      AUTUMN.add({ seconds: at >> 1 }),
    );
    addPatient(api.db, batch, created, AUTUMN);
  });
  await batch.commit();
});

const list = async (query: Record<string, string | number> = {}) => {
  const parameters = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return api.send<Page>('GET', `/api/patients?${parameters}`, { role: 'reader' });
};
const followed = async (query: Record<string, string | number>) => {
  const pages = [(await list(query)).body];
  for (let token = pages[0]!.next_page_token; token !== null; token = pages.at(-1)!.next_page_token) {
    pages.push((await list({ ...query, page_token: token })).body);
    if (pages.length > 20) throw new Error('the pages do not end');
  }
  return pages;
};
const idsOf = (page: Page) => page.data.map((patient) => patient.id - FIRST_ID);
const newestFirst = persons.map((_, at) => at).reverse();

describe('the list', () => {
  it('has the newest first and 20 on a page', async () => {
    const { body } = await list();
    expect(body).toMatchObject({ page: 1, limit: 20, total: persons.length });
    expect(idsOf(body)).toEqual(newestFirst.slice(0, 20));
  });

  it.each([{}, { search: 'reihe' }, { search: 'e' }])(
    'returns each patient once across the pages: %o',
    async (filter) => {
      const pages = await followed({ ...filter, limit: 7 });
      expect(pages.map(({ page }) => page)).toEqual(pages.map((_, at) => at + 1));
      expect(pages.flatMap(idsOf)).toEqual(idsOf((await list({ ...filter, limit: 1000 })).body));
    },
  );

  it('has its total on the first page', async () => {
    const pages = await followed({ limit: 10 });
    expect(pages.map(({ total }) => total)).toEqual(pages.map(() => persons.length));
  });

  it('has the same pages by page number', async () => {
    const pages = await Promise.all([1, 2, 3].map((page) => list({ page, limit: 13 })));
    expect(pages.flatMap(({ body }) => idsOf(body))).toEqual(newestFirst);
    expect((await list({ page: 4, limit: 13 })).body.data).toEqual([]);
  });

  it('can be filtered by status', async () => {
    const { body } = await list({ status: 'in_Therapie' });
    expect(idsOf(body)).toEqual([1]);
    expect(body.total).toBe(1);
  });
});

describe('a search', () => {
  it.each([
    ['gross', [1, 0]],
    ['GROß', [1, 0]],
    ['zoë', [1, 0]],
    ['muller', [2]],
    ['MÜLL', [2]],
    ['mu\u0308ller', [2]],
    ['mueller@exam', [2]],
    ['100%', [3]],
    ['%_s', [3]],
    ['_', [3]],
    ['%', [3]],
    ['0xs', [4]],
    ['reihe24', [31]],
    ["o'neill", [5]],
    ['o’neill', [5]],
    ['O´NEILL', [5]],
    ['lucja', [6]],
    ['Łucja', [6]],
    ['aero', [6]],
    ['dordevic', [6]],
    ['aero\u2011dor', [6]],
    ['zoe gross', [1, 0]],
    ['gross zoe', [1, 0]],
    ['  muller   jurg ', [2]],
    ['jürgen example.org', [2]],
    ['sean bürger', [5]],
    ['ann x', [4]],
    ['ann kim', []],
    ['kim reihe24', [31]],
    ['nobody at all', []],
  ])('for %s finds %j', async (search, found) => {
    const { body } = await list({ search });
    expect(idsOf(body)).toEqual(found);
    expect(body.total).toBe(found.length);
  });

  it.each(['', ' ', '\u00a0\t', ' '.repeat(300)])('for the blank %j finds all patients', async (search) => {
    expect((await list({ search, status: 'in_Therapie' })).body.total).toBe(1);
  });

  it('of several words is paged like any other, and counted on its last page', async () => {
    const pages = await followed({ search: 'kim reihe1', limit: 4 });
    expect(pages.map(({ data }) => data.length)).toEqual([4, 4, 3]);
    expect(pages.map(({ total }) => total)).toEqual([null, null, 11]);
  });

  it('of one gram is counted by the index, once for all its pages', async () => {
    const pages = await followed({ search: 'rei', limit: 10 });
    expect(pages.map(({ data, total }) => [data.length, total])).toEqual([
      [10, 25],
      [10, 25],
      [5, 25],
    ]);
  });

  it('counts all hits once it has seen all candidates, those before a page number too', async () => {
    expect((await list({ search: 'reihe1', page: 2, limit: 6 })).body).toMatchObject({ total: 11, page: 2 });
    expect((await list({ search: 'reihe1', page: 3, limit: 6 })).body).toMatchObject({ total: 11, data: [] });
  });

  it('can be filtered by status', async () => {
    expect(idsOf((await list({ search: 'gross', status: 'in_Therapie' })).body)).toEqual([1]);
  });

  it('finds a patient by the new name after a change', async () => {
    const { id } = await api.create({ vorname: 'Vorher' });
    await api.send('PATCH', `/api/patients/${id}`, { body: { vorname: 'Nachher' } });
    expect((await list({ search: 'vorher' })).body.total).toBe(0);
    expect(idsOf((await list({ search: 'nachher' })).body)).toEqual([id - FIRST_ID]);
    await api.send('DELETE', `/api/patients/${id}`);
  });
});

describe('a parameter', () => {
  it.each([
    ['limit', 0],
    ['limit', -1],
    ['limit', 1001],
    ['limit', '1e2'],
    ['limit', '9999999999999'],
    ['limit', ' 5'],
    ['page', 0],
    ['page', -1],
    ['page', 10_001],
    ['page', 'x'],
    ['status', 'Offen'],
    ['search', 'x'.repeat(256)],
    ['page_token', 'x'],
    ['page_token', Buffer.from('[{"created_at":"2026","id":1,"page":1},"x"]').toString('base64url')],
    ['page_token', Buffer.from('null').toString('base64url')],
    ['unknown', 1],
  ])('%s=%s is refused by its name', async (name, value) => {
    const { status, body } = await list({ [name]: value });
    expect(status).toBe(422);
    expect(body.errors.map((error) => error.pointer)).toEqual([`/${name}`]);
  });

  it('is accepted at its limits', async () => {
    expect((await list({ limit: 1, page: 10_000 })).status).toBe(200);
    expect((await list({ limit: 1000, page: 1, search: '' })).status).toBe(200);
  });

  it.each([
    { created_at: '\ud800', id: 1, page: 2 },
    { created_at: 'gestern', id: 1, page: 2 },
    { created_at: '9999-12-31T00:00:00.000Z', id: 1, page: Number.MAX_SAFE_INTEGER },
    { created_at: '9999-12-31T00:00:00.000Z', id: 1, page: 2, found: Number.MAX_SAFE_INTEGER },
  ])('is refused when it is a page token made by hand of %j', async (position) => {
    const { status } = await list({ limit: 1, page_token: pageToken(position, ['patients', null, null]) });
    expect(status).toBe(422);
  });

  it('is refused when it is a page token of another list, an altered one, or one beside a page number', async () => {
    const { body } = await list({ limit: 3, status: 'offen' });
    const token = body.next_page_token!;
    expect((await list({ limit: 3, status: 'offen', page_token: token })).status).toBe(200);
    expect((await list({ limit: 3, page_token: token })).status).toBe(422);
    expect((await list({ status: 'offen', page: 2, page_token: token })).status).toBe(422);
    const [position, print] = JSON.parse(Buffer.from(token, 'base64url').toString());
    const altered = Buffer.from(JSON.stringify([{ ...position, id: 1 }, print])).toString('base64url');
    expect((await list({ limit: 3, status: 'offen', page_token: altered })).status).toBe(422);
  });
});
