/** Parts and engines to stop, kill and start, and messages that can never be applied. */
import type { FileRow, PartState } from '../messages.ts';
import { post } from './ask.ts';
import { Badge, Do, Section } from './ui.tsx';

const roles: Readonly<Record<string, string>> = {
  firestore: 'engine: the database',
  storage: 'engine: the bucket',
  kafka: 'engine: the broker',
  communication: 'stand-in: accepts the mails',
  eventarc: 'stand-in: notifies the import of files',
  scheduler: 'stand-in: calls check-health each minute',
  import: 'turns files into patients',
  api: 'HTTP API for staff',
  health: 'verdict and sweep',
  worker: 'relay, mailer and consumers',
};

const kinds = { up: 'good', down: 'warn', stopped: 'bad', given: 'plain' } as const;

export function Break({ parts, files }: { parts: readonly PartState[]; files: readonly FileRow[] }) {
  const act = (name: string, action: 'stop' | 'kill' | 'start', said: string) => async () => {
    await post(`/local/parts/${name}`, { action });
    return said;
  };
  const poison = (kind: string) => async () => {
    await post('/local/poison', { kind });
    return 'Sent to communication-events. It must end as a dead letter and block no other message.';
  };
  const newest = files[0];
  const deliver = async () => {
    await post(`/local/files/${newest?.recordId}/deliver`);
    return `The event of ${newest?.name} was delivered again: still one patient, one event, one mail.`;
  };
  return (
    <Section
      id="break"
      title="Break it"
      hint="Whatever you do here, nothing is lost, no order is broken and no mail is sent twice."
    >
      <div class="row">
        <Do action={poison('not_json')}>Poison: no JSON</Do>
        <Do action={poison('no_envelope')}>Poison: no event type</Do>
        <Do action={poison('future')}>Poison: from the year 2999</Do>
        <Do action={deliver} disabled={newest === undefined}>
          Deliver the last file twice
        </Do>
      </div>
      <div class="scroll">
        <table class="parts">
          <thead>
            <tr>
              <th scope="col">Part</th>
              <th scope="col">State</th>
              <th scope="col">Do</th>
            </tr>
          </thead>
          <tbody>
            {parts.map(({ name, state, pid }) => (
              <tr key={name}>
                <th scope="row">
                  {name}
                  <span class="quiet">{roles[name]}</span>
                </th>
                <td>
                  <Badge kind={kinds[state]}>{state === 'given' ? 'not ours' : state}</Badge>{' '}
                  <span class="quiet">{pid === null ? '' : `pid ${pid}`}</span>
                </td>
                <td>
                  {state !== 'given' && (
                    <span class="row">
                      <Do
                        kind="small"
                        disabled={state === 'stopped'}
                        label={`Stop ${name}`}
                        action={act(name, 'stop', `${name} is stopped. It stays down until you start it.`)}
                      >
                        Stop
                      </Do>
                      <Do
                        kind="small danger"
                        disabled={state !== 'up'}
                        label={`kill -9 ${name}`}
                        action={act(name, 'kill', `${name} was killed. The stack starts it again by itself.`)}
                      >
                        kill -9
                      </Do>
                      <Do
                        kind="small"
                        disabled={state !== 'stopped'}
                        label={`Start ${name}`}
                        action={act(name, 'start', `${name} is up.`)}
                      >
                        Start
                      </Do>
                    </span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet">
        The Firestore emulator keeps its data in memory: a stop saves it, a kill -9 of it loses the changes
        since its start, and the counters then compare a topic with a database that lacks patients. Google's
        Firestore does not lose data; <a href="/read/docs/emulators.md">what else differs</a>.
      </p>
    </Section>
  );
}
