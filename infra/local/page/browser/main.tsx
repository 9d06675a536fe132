/** The page: its sections, in the order in which a visitor needs them. */
import { render } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { FieldText } from '../messages.ts';
import { get } from './ask.ts';
import { Break } from './break.tsx';
import { Files } from './files.tsx';
import { Flow } from './flow.tsx';
import { Guarantees } from './guarantees.tsx';
import { Health, kindOf } from './health.tsx';
import { useLive } from './live.ts';
import { Patients } from './patients.tsx';
import { Badge, Fields, Say, Section } from './ui.tsx';

interface Facts {
  readonly addresses: Readonly<Record<string, string>>;
  readonly fields: readonly FieldText[];
}

const SAID_MS = 8_000;

function Page() {
  const live = useLive();
  const [facts, setFacts] = useState<Facts | null>(null);
  const [patient, setPatient] = useState<number | null>(null);
  const [said, setSaid] = useState('');
  const timer = useRef(0);
  const say = useCallback((sentence: string) => {
    setSaid(sentence);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setSaid(''), SAID_MS);
  }, []);
  useEffect(() => void get<Facts>('/local/facts').then(setFacts), []);
  const choose = (id: number | null) => {
    setPatient(id);
    document.querySelector('#patients')?.scrollIntoView({ block: 'start' });
  };
  const status = live.figures?.health?.status ?? 'no answer';
  return (
    <Say.Provider value={say}>
      <Fields.Provider value={new Map(facts?.fields.map((field) => [field.name, field]))}>
        <a class="skip" href="#flow">
          To the flow
        </a>
        <header class="top">
          <h1>
            Patient service <span>local stack</span>
          </h1>
          <nav aria-label="Pages">
            <a href="/docs">API</a>
            <a href="/events">Events</a>
            <a href="/openapi.json">Contract</a>
            <a href="/read/docs/domain.md">Domain</a>
            <a href="/read/docs/operations.md">Operations</a>
          </nav>
          <a href="#health" class="plain-link">
            <Badge kind={live.figures === null ? 'plain' : kindOf(status)}>
              {live.figures === null ? 'asking…' : status}
            </Badge>
          </a>
        </header>
        {!live.isConnected && (
          <p class="lost-connection">The stack does not answer: this page may be out of date.</p>
        )}
        <main>
          <Flow parts={live.parts} journeys={live.journeys} figures={live.figures} />
          <Guarantees counted={live.guarantees} />
          <Files files={live.files} onPatient={choose} />
          <Health figures={live.figures} />
          <Patients live={live} chosen={patient} onChoose={setPatient} />
          <Break parts={live.parts} files={live.files} />
          <Section id="addresses" title="Addresses" hint="Also in .local/stack.json, with the tokens.">
            <table class="data">
              <tbody>
                {Object.entries(facts?.addresses ?? {}).map(([name, address]) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td>
                      <code>{address}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Section>
        </main>
        <div class={said === '' ? 'said' : 'said shown'} role="status" aria-live="polite">
          {said}
        </div>
      </Fields.Provider>
    </Say.Provider>
  );
}

const place = document.querySelector('#page');
if (place !== null) {
  place.replaceChildren();
  render(<Page />, place);
}
