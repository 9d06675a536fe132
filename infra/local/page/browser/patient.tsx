/** One patient: data, events on the topic, history, mails, and the calls of the README's walk. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Mail, PublishedEvent } from '../messages.ts';
import { callApi, get } from './ask.ts';
import { Calls } from './calls.tsx';
import { Badge, clock, Term } from './ui.tsx';
import { Word } from './words.tsx';

type Data = Readonly<Record<string, unknown>>;

interface Contact {
  readonly event_id: string;
  readonly event_type: string;
  readonly occurred_at: string;
}

interface Seen {
  readonly status: number;
  readonly data: Data | null;
  readonly events: readonly PublishedEvent[];
  readonly history: readonly Contact[];
  readonly mails: readonly Mail[];
}

const tabs = ['Calls', 'Data', 'Events', 'History', 'Mails'] as const;
type Tab = (typeof tabs)[number];

/** An event reaches the topic shortly after the change is answered, and a contact reaches the history later still. */
const LOOK_AGAIN_MS = [0, 400, 1_200, 3_000];

export function Patient({ id, version }: { id: number; version: string }) {
  const [seen, setSeen] = useState<Seen | null>(null);
  const [tab, setTab] = useState<Tab>('Calls');
  const [changes, setChanges] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    const look = async () => {
      const found = await lookAt(id);
      if (isCurrent) setSeen(found);
    };
    const timers = LOOK_AGAIN_MS.map((ms) => setTimeout(() => void look().catch(() => undefined), ms));
    return () => {
      isCurrent = false;
      timers.forEach(clearTimeout);
    };
  }, [id, version, changes]);
  const data = seen?.data ?? null;
  const name = data === null ? '' : `${String(data['vorname'])} ${String(data['nachname'])}`;
  return (
    <div class="patient">
      <h3>
        Patient {id} <span>{name}</span>{' '}
        {data !== null && (
          <Badge kind="plain">
            <Word>{String(data['status'])}</Word>
          </Badge>
        )}
        {seen?.status === 404 && <Badge kind="bad">not found: erased</Badge>}
      </h3>
      <Tabs chosen={tab} onChoose={setTab} counts={countsOf(seen)} />
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`} tabIndex={0} class="scroll tall">
        {tab === 'Calls' && <Calls id={id} data={data} onDone={() => setChanges((n) => n + 1)} />}
        {tab === 'Data' && <DataTable data={data} />}
        {tab === 'Events' && <Events events={seen?.events ?? []} />}
        {tab === 'History' && <History contacts={seen?.history ?? []} />}
        {tab === 'Mails' && <Mails mails={seen?.mails ?? []} />}
      </div>
    </div>
  );
}

async function lookAt(id: number): Promise<Seen> {
  const path = `/api/patients/${id}`;
  const [patient, history, events, mails] = await Promise.all([
    callApi({ method: 'GET', path, role: 'reader' }, true),
    callApi({ method: 'GET', path: `${path}/communication?limit=50`, role: 'reader' }, true),
    get<PublishedEvent[]>(`/local/patients/${id}/events`),
    get<Mail[]>(`/local/patients/${id}/mails`),
  ]);
  return {
    status: patient.status,
    data: patient.status === 200 ? (patient.body as Data) : null,
    history: history.status === 200 ? (history.body as { data: Contact[] }).data : [],
    events,
    mails,
  };
}

function countsOf(seen: Seen | null): Partial<Record<Tab, number>> {
  if (seen === null) return {};
  return { Events: seen.events.length, History: seen.history.length, Mails: seen.mails.length };
}

/** https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ */
function Tabs({
  chosen,
  onChoose,
  counts,
}: {
  chosen: Tab;
  onChoose: (tab: Tab) => void;
  counts: Partial<Record<Tab, number>>;
}) {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const steps: Partial<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(chosen) + step + tabs.length) % tabs.length] ?? chosen;
    onChoose(next);
    list.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div role="tablist" aria-label="About the patient" ref={list} onKeyDown={move}>
      {tabs.map((tab) => (
        <button
          key={tab}
          type="button"
          role="tab"
          id={`tab-${tab}`}
          aria-controls="tab-panel"
          aria-selected={tab === chosen}
          tabIndex={tab === chosen ? 0 : -1}
          onClick={() => onChoose(tab)}
        >
          {tab}
          {counts[tab] !== undefined && <span class="count">{counts[tab]}</span>}
        </button>
      ))}
    </div>
  );
}

function DataTable({ data }: { data: Data | null }) {
  if (data === null) return <p class="quiet">This patient no longer exists.</p>;
  return (
    <table class="data">
      <tbody>
        {Object.entries(data).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">
              <Term name={name} />
            </th>
            <td>{value === null ? <span class="quiet">null</span> : shown(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function Events({ events }: { events: readonly PublishedEvent[] }) {
  if (events.length === 0) return <p class="quiet">Nothing is on patient-events yet.</p>;
  return (
    <ol class="events">
      {events.map(({ eventId, sequence, eventType, timestamp, partition, offset, times, payload }) => (
        <li key={eventId}>
          <details>
            <summary>
              <b>{sequence}</b> {eventType} <span class="quiet">{clock(timestamp)}</span>
              {times > 1 && <Badge kind="plain">{times} times</Badge>}
            </summary>
            <p class="quiet">
              partition {partition}, offset {offset}, event {eventId}
            </p>
            <pre>
              {payload === null
                ? 'Not kept here; the topic holds it.'
                : JSON.stringify(payload, undefined, 2)}
            </pre>
          </details>
        </li>
      ))}
    </ol>
  );
}

function History({ contacts }: { contacts: readonly Contact[] }) {
  if (contacts.length === 0) return <p class="quiet">No contact yet.</p>;
  return (
    <ul class="events">
      {contacts.map(({ event_id, event_type, occurred_at }) => (
        <li key={event_id}>
          {event_type} <span class="quiet">{new Date(occurred_at).toLocaleString('en-GB')}</span>
        </li>
      ))}
    </ul>
  );
}

function Mails({ mails }: { mails: readonly Mail[] }) {
  if (mails.length === 0) return <p class="quiet">The mail service has none for this patient.</p>;
  return (
    <>
      {mails.map(({ id, subject, to, receivedAt, text }) => (
        <article key={id} class="mail">
          <h4>{subject}</h4>
          <p class="quiet">
            to {to}, {clock(receivedAt)}
          </p>
          <pre class="letter">{text}</pre>
        </article>
      ))}
    </>
  );
}
