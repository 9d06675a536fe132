/** The calls of the README's walk, each as a request of this page and as a curl line. */
import { useState } from 'preact/hooks';
import { callApi, curlOf, type ApiAnswer, type ApiCall } from './ask.ts';
import { Badge, Confirm, Copy, Do, Term } from './ui.tsx';

const kinds = {
  pay: 'Pay',
  sign: 'Sign',
  exclude: 'Exclude a therapist',
  erase: 'Erase',
} as const;
type Kind = keyof typeof kinds;

const hints: Readonly<Record<Kind, string>> = {
  pay: 'The payment has arrived. With the contracts signed too, the search begins.',
  sign: 'The contracts are signed. With the payment too, the search begins.',
  exclude: 'Added to the therapists who are excluded already.',
  erase: 'Removes data, consent, history and files, and publishes patient.deleted. Needs the role admin.',
};

type Data = Readonly<Record<string, unknown>>;

export function Calls({ id, data, onDone }: { id: number; data: Data | null; onDone: () => void }) {
  const [kind, setKind] = useState<Kind>('pay');
  const [therapist, setTherapist] = useState(7);
  const [answer, setAnswer] = useState<ApiAnswer | null>(null);
  const [isAsked, setAsked] = useState(false);
  const call = callOf(kind, id, therapist, data);
  const send = async () => {
    const got = await callApi(call);
    setAnswer(got);
    onDone();
    return `${kinds[kind]}: answered with ${got.status}.`;
  };
  return (
    <>
      <fieldset class="choices">
        <legend>What shall happen?</legend>
        {(Object.keys(kinds) as Kind[]).map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="call"
              value={name}
              checked={name === kind}
              onChange={() => (setKind(name), setAnswer(null))}
            />
            {kinds[name]}
          </label>
        ))}
      </fieldset>
      <p class="quiet">
        {hints[kind]} {kind !== 'erase' && <Term name={fieldOf[kind]} />}
      </p>
      {kind === 'exclude' && (
        <label class="field short">
          <span>Id of the therapist</span>
          <input
            type="number"
            min={1}
            value={therapist}
            onInput={(event) => setTherapist(Number(event.currentTarget.value))}
          />
        </label>
      )}
      <div class="row">
        {kind === 'erase' ? (
          <button type="button" class="danger" onClick={() => setAsked(true)}>
            Erase patient {id}…
          </button>
        ) : (
          <Do kind="main" action={send}>
            Send
          </Do>
        )}
        {answer !== null && (
          <span role="status">
            <Badge kind={answer.status < 300 ? 'good' : 'bad'}>{answer.status}</Badge> {summaryOf(answer)}
          </span>
        )}
      </div>
      <Copy text={curlOf(call)} label={`${kinds[kind]} as a curl line`} />
      <Confirm
        open={isAsked}
        question={`Erase patient ${id} for good?`}
        yes="Erase"
        onYes={() => void send()}
        onClose={() => setAsked(false)}
      />
    </>
  );
}

const fieldOf = {
  pay: 'zahlung_eingegangen',
  sign: 'vertraege_unterschrieben',
  exclude: 'ausgeschlossene_therapeuten',
} as const;

function callOf(kind: Kind, id: number, therapist: number, data: Data | null): ApiCall {
  const path = `/api/patients/${id}`;
  if (kind === 'erase') return { method: 'DELETE', path, role: 'admin' };
  const excluded = (data?.['ausgeschlossene_therapeuten'] ?? []) as readonly { readonly id: number }[];
  const ids = new Set([...excluded.map(({ id: known }) => known), therapist]);
  const body = { [fieldOf[kind]]: kind === 'exclude' ? [...ids] : true };
  return { method: 'PATCH', path, role: 'staff', body };
}

function summaryOf({ status, body }: ApiAnswer): string {
  if (body === null) return status === 204 ? 'done, no content' : '';
  const { title, errors, startdatum, status: state } = body as Data;
  if (status >= 400) return `${String(title)} ${errors === undefined ? '' : JSON.stringify(errors)}`;
  return `status ${String(state)}, startdatum ${String(startdatum)}`;
}
