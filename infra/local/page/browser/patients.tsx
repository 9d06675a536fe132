/** The patients: search by name, registration by hand, and one patient in detail. */
import { useEffect, useState } from 'preact/hooks';
import type { State } from '../messages.ts';
import { callApi, curlOf, type ApiCall } from './ask.ts';
import { Patient } from './patient.tsx';
import { Copy, Do, Section, Term } from './ui.tsx';
import { meaningOf } from './words.tsx';

interface Listed {
  readonly id: number;
  readonly vorname: string;
  readonly nachname: string;
  readonly status: string;
}

interface Page {
  readonly data: readonly Listed[];
  readonly total: number;
}

const LIMIT = 12;
/** Delay that turns a burst of registrations into one request. */
const SETTLED_MS = 400;

export function Patients({
  live,
  chosen,
  onChoose,
}: {
  live: State;
  chosen: number | null;
  onChoose: (id: number | null) => void;
}) {
  const [search, setSearch] = useState('');
  const [page, setPage] = useState<Page | null>(null);
  const [problem, setProblem] = useState('');
  // The change may affect the list.
  const version = versionOf(live);
  useEffect(() => {
    const query = search.trim() === '' ? '' : `&search=${encodeURIComponent(search.trim())}`;
    const look = async () => {
      const answer = await callApi(
        { method: 'GET', path: `/api/patients?limit=${LIMIT}${query}`, role: 'reader' },
        true,
      );
      setProblem(
        answer.status === 200 ? '' : ((answer.body as { title?: string }).title ?? `status ${answer.status}`),
      );
      if (answer.status === 200) setPage(answer.body as Page);
    };
    const timer = setTimeout(
      () => void look().catch((error: Error) => setProblem(error.message)),
      SETTLED_MS,
    );
    return () => clearTimeout(timer);
  }, [search, version]);
  return (
    <Section
      id="patients"
      title="Patients"
      hint="Read and changed through the HTTP API, with the tokens of this stack."
    >
      <div class="two">
        <div>
          <label class="field">
            <span>Search: first name, last name or e-mail</span>
            <input
              type="search"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
              placeholder="fussweg finds Fußweg"
            />
          </label>
          <p class="quiet" role="status">
            {problem !== '' ? problem : page === null ? 'Asking the API…' : found(page)}
          </p>
          <ul class="pick" aria-label="Patients found">
            {(page?.data ?? []).map(({ id, vorname, nachname, status }) => (
              <li key={id}>
                <button type="button" aria-pressed={id === chosen} onClick={() => onChoose(id)}>
                  <span class="quiet">{id}</span> {vorname} {nachname}
                  <span class="status" title={meaningOf(status)}>
                    {status}
                  </span>
                </button>
              </li>
            ))}
          </ul>
          <Register onChoose={onChoose} />
        </div>
        {chosen === null ? (
          <p class="quiet empty">
            Choose a patient to see data, events, history and mails, and to pay, sign, exclude or erase.
          </p>
        ) : (
          <Patient key={chosen} id={chosen} version={versionOf(live, chosen)} />
        )}
      </div>
    </Section>
  );
}

function found({ data, total }: Page): string {
  const noun = total === 1 ? 'patient' : 'patients';
  return total > data.length ? `${total} ${noun}, the newest ${data.length} shown` : `${total} ${noun}`;
}

/** A key that changes whenever the list, or this patient's page, may have changed. */
function versionOf({ journeys, files, guarantees }: State, patientId?: number): string {
  if (patientId === undefined)
    return [
      guarantees?.patients,
      files.length,
      journeys.find(({ patientId: of }) => of !== null)?.steps.at(-1)?.at,
    ].join();
  const own = journeys.filter((journey) => journey.patientId === patientId);
  return [own.length, ...own.map(({ steps }) => steps.length)].join();
}

function Register({ onChoose }: { onChoose: (id: number) => void }) {
  const [person, setPerson] = useState({
    anrede: 'Herr',
    geschlecht: 'männlich',
    vorname: 'Jörg',
    nachname: 'Fußweg',
  });
  const call: ApiCall = { method: 'POST', path: '/api/patients', role: 'staff', body: person };
  const send = async () => {
    const { status, body } = await callApi(call);
    if (status !== 201) return `Refused: ${JSON.stringify(body)}`;
    const { id } = body as { id: number };
    onChoose(id);
    return `Patient ${id} is registered.`;
  };
  const set = (name: keyof typeof person) => (event: { currentTarget: { value: string } }) =>
    setPerson({ ...person, [name]: event.currentTarget.value });
  return (
    <details>
      <summary>Register somebody by hand</summary>
      <div class="form">
        <label class="field">
          <Term name="anrede" />
          <select value={person.anrede} onChange={set('anrede')}>
            <option>Frau</option>
            <option>Herr</option>
          </select>
        </label>
        <label class="field">
          <Term name="geschlecht" />
          <select value={person.geschlecht} onChange={set('geschlecht')}>
            {['männlich', 'weiblich', 'divers', 'keine_Angabe'].map((value) => (
              <option key={value}>{value}</option>
            ))}
          </select>
        </label>
        <label class="field">
          <Term name="vorname" />
          <input value={person.vorname} onInput={set('vorname')} />
        </label>
        <label class="field">
          <Term name="nachname" />
          <input value={person.nachname} onInput={set('nachname')} />
        </label>
      </div>
      <Do kind="main" action={send}>
        Register
      </Do>
      <Copy text={curlOf(call)} label="The registration as a curl line" />
    </details>
  );
}
