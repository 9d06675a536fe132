/** The health verdict with its reasons, the waiting messages, and the dead letters with what to do about each. */
import type { DeadLetter, Figures, PartitionLag } from '../messages.ts';
import { post } from './ask.ts';
import { Badge, Copy, Do, Section } from './ui.tsx';
import { Word } from './words.tsx';

export const kindOf = (status: string): string =>
  status === 'healthy' ? 'good' : status === 'degraded' ? 'warn' : 'bad';

export function Health({ figures }: { figures: Figures | null }) {
  const health = figures?.health ?? null;
  const { outbox = null, lag = null, deadLetters = null } = figures ?? {};
  const faulty = health?.checks.filter(({ reasons }) => reasons.length > 0) ?? [];
  return (
    <Section id="health" title="Health" hint="The verdict of check-health, and the figures behind it.">
      <p class="verdict">
        <Badge kind={health === null ? 'bad' : kindOf(health.status)}>{health?.status ?? 'no answer'}</Badge>{' '}
        {health === null && 'check-health does not answer: start it below.'}
        {health !== null && faulty.length === 0 && 'Every check passes.'}
      </p>
      {faulty.length > 0 && (
        <ul class="reasons">
          {faulty.map(({ name, status, reasons, runbooks }) => (
            <li key={name}>
              <Badge kind={kindOf(status)}>{name}</Badge> {reasons.join('; ')}
              {runbooks.map((runbook) => (
                <span key={runbook}>
                  {' '}
                  <a href={`/read/docs/runbooks/${runbook}.md`}>runbook: {runbook}</a>
                </span>
              ))}
            </li>
          ))}
        </ul>
      )}
      <h3>
        <Word>Outbox</Word>
      </h3>
      {outbox === null ? (
        <p class="quiet">Firestore does not answer.</p>
      ) : (
        <p>
          {outbox.events} events and {outbox.mails} mails wait
          {outbox.events + outbox.mails > 0 && `, the oldest for ${outbox.oldestSeconds} s`}.
        </p>
      )}
      <h3>
        <Word>Lag</Word>
      </h3>
      {lag === null ? <p class="quiet">Kafka does not answer.</p> : <Lag lag={lag} />}
      <h3>
        <Word>Dead letters</Word>
      </h3>
      {deadLetters === null ? (
        <p class="quiet">Kafka does not answer.</p>
      ) : deadLetters.length === 0 ? (
        <p class="quiet">None.</p>
      ) : (
        <ul class="letters scroll tall">
          {deadLetters.map((letter) => (
            <Letter key={letter.place} letter={letter} />
          ))}
        </ul>
      )}
    </Section>
  );
}

function Lag({ lag }: { lag: readonly PartitionLag[] }) {
  const topics = [...new Set(lag.map(({ topic }) => topic))];
  const partitions = [...new Set(lag.map(({ partition }) => partition))];
  return (
    <table class="lag">
      <caption class="unseen">Messages that are not applied yet, by topic and partition</caption>
      <thead>
        <tr>
          <th scope="col">Partition</th>
          {partitions.map((partition) => (
            <th key={partition} scope="col">
              {partition}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {topics.map((topic) => (
          <tr key={topic}>
            <th scope="row">{topic}</th>
            {partitions.map((partition) => {
              const row = lag.find((one) => one.topic === topic && one.partition === partition);
              return (
                <td
                  key={partition}
                  class={(row?.lag ?? 0) > 0 ? 'behind' : ''}
                  title={`offset ${row?.committed ?? 'none'} of ${row?.end}`}
                >
                  {row?.lag}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Letter({ letter: { place, error, message, origin, advice } }: { letter: DeadLetter }) {
  const settle = (how: 'replay' | 'drop') => async () =>
    (await post<{ said: string }>('/local/dead-letters', { how, place })).said;
  return (
    <li>
      <p>
        <Badge kind="bad">{error}</Badge> {message} <span class="quiet">{origin ?? ''}</span>
      </p>
      <p>
        {advice} <a href="/read/docs/runbooks/dead-letters.md">runbook: dead-letters</a>
      </p>
      <div class="row">
        <Do kind="small" action={settle('drop')} label={`Drop ${place}`}>
          Drop
        </Do>
        <Do kind="small" action={settle('replay')} label={`Replay ${place}`}>
          Replay
        </Do>
      </div>
      <Copy text={`npm run ops -- dlq show ${place} --value`} label={`Show ${place} in a terminal`} />
    </li>
  );
}
