/** The billed Firestore reads of a search among a million patients with German names, and that no match is missed. */
import { Firestore } from '@google-cloud/firestore';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Patient } from '../../shared/patient/schema.ts';
import { matches, wordsOf } from '../../shared/patient/search.ts';
import type { Continuation, PageRequest, PatientPage } from '../../shared/store/patient-list.ts';
import { searchPatients } from '../../shared/store/patient-search.ts';
import { personAt } from '../load/population.ts';
import { startSearchModel, type SearchModel } from '../support/search-model.ts';

const SEED = 1;

interface Counted extends PatientPage {
  readonly reads: number;
}

/** The service's search over a model of this many patients. */
async function searching(patients: number) {
  const model: SearchModel = await startSearchModel(patients, SEED);
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', model.address);
  const db = new Firestore({ projectId: 'model' });
  vi.unstubAllEnvs();
  const page = async (
    term: string,
    request: Partial<PageRequest> = {},
    status?: 'in_Therapie',
  ): Promise<Counted> => {
    const before = model.bill.reads;
    const found = await searchPatients(db, status, wordsOf(term), { limit: 20, offset: 0, ...request });
    return { ...found, reads: model.bill.reads - before };
  };
  const pages = async (
    term: string,
    most: number,
    request: Partial<PageRequest> = {},
  ): Promise<Counted[]> => {
    const all: Counted[] = [];
    let after: Continuation | undefined;
    do {
      all.push(await page(term, { ...request, after }));
      after = all.at(-1)?.next;
    } while (after !== undefined && all.length < most);
    return all;
  };
  return { page, pages, close: async () => Promise.all([db.terminate(), model.close()]) };
}

type Searching = Awaited<ReturnType<typeof searching>>;

describe('among a million patients', () => {
  let million: Searching;
  beforeAll(async () => (million = await searching(1_000_000)));
  afterAll(() => million.close());

  it.each(['schmidt', 'müller', 'anna', 'mül', '@gmail', 'schneider', 'er', 'ng'])(
    'a page of %s costs at most three reads for each hit, and so do the pages after it',
    async (term) => {
      for (const { patients, reads } of await million.pages(term, 6)) {
        expect(patients).toHaveLength(20);
        expect(reads).toBeLessThanOrEqual(60);
      }
    },
  );

  it.each(['anna schmidt', 'peter müller', 'schmidt@gmail'])(
    'a page of %s is full after a thousand reads: the rarer word leads',
    async (term) => {
      for (const { patients, reads } of await million.pages(term, 3)) {
        expect(patients).toHaveLength(20);
        expect(reads).toBeLessThanOrEqual(1000);
      }
    },
  );

  it.each<[string, Partial<PageRequest>?, 'in_Therapie'?]>([
    ['xenia quentin'],
    ['q'],
    ['%'],
    ['ü x'],
    ['xqzy'],
    ['donaudampfschifffahrtsgesellschaftskapitän'.repeat(6)],
    ['anna', { limit: 1000 }],
    ['er', { limit: 1000 }],
    ['mann', { limit: 1000, offset: 9_999_000 }],
    ['er', { limit: 20, offset: 199_980 }],
    ['schmidt', { limit: 100 }, 'in_Therapie'],
  ])('no page of %s %o costs more than 2,000 reads', async (term, request = {}, status) => {
    const first = await million.page(term, request, status);
    expect(first.reads).toBeLessThanOrEqual(2000);
    if (first.next !== undefined) {
      expect((await million.page(term, { ...request, after: first.next }, status)).reads).toBeLessThanOrEqual(
        2000,
      );
    }
  });

  it('a page that reaches its limit of patients returns a token to continue', async () => {
    const [first, ...others] = await million.pages('mustermann', 10);
    expect(first).toMatchObject({ patients: [], total: null });
    expect(first?.next).toBeDefined();
    expect(others.at(-1)).toMatchObject({ total: 0, next: undefined });
  });
});

describe('the pages of a search', () => {
  const PATIENTS = 10_000;
  const newestFirst = Array.from({ length: PATIENTS }, (_, at) => at);
  let some: Searching;
  beforeAll(async () => (some = await searching(PATIENTS)));
  afterAll(() => some.close());

  it.each(['schmidt', 'anna', 'q', 'xu', 'peter müller', 'hans-peter', 'a gmx', '@gmail', 'bauer l'])(
    'hold every hit for %s once, newest first, and count them at the end',
    async (term) => {
      const words = wordsOf(term);
      const hits = newestFirst
        .filter((at) => matches(personAt(SEED, at) as Patient, words))
        .map((at) => PATIENTS - at);
      const pages = await some.pages(term, 200, { limit: 200 });
      expect(pages.flatMap(({ patients }) => patients.map(({ id }) => Number(id)))).toEqual(hits);
      expect(pages.at(-1)?.total).toBe(hits.length);
    },
  );

  it('by number begin where the pages by token begin, however many hits precede them', async () => {
    const ids = (pages: readonly Counted[]) => pages.flatMap(({ patients }) => patients.map(({ id }) => id));
    const all = ids(await some.pages('q', 200, { limit: 10 }));
    expect(ids(await some.pages('q', 200, { limit: 10, offset: 30 }))).toEqual(all.slice(30));
  });
});
