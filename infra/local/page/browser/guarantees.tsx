/** The promises as counters, each read from its source: the topic, Firestore or the mailbox. */
import type { Guarantees as Counted } from '../messages.ts';
import { clock, Section } from './ui.tsx';

interface Counter {
  readonly name: string;
  readonly value: number | undefined;
  readonly hint: string;
  /** True for a promise: any value but zero is a fault. */
  readonly isPromise?: boolean;
}

export function Guarantees({ counted }: { counted: Counted | null }) {
  const counters: Counter[] = [
    { name: 'events published', value: counted?.published, hint: 'different events on patient-events' },
    {
      name: 'repeated',
      value: counted?.repeated,
      hint: 'exact repeats, which readers drop by their sequence',
    },
    {
      name: 'lost',
      value: counted?.lost,
      hint: "numbers that are neither on the topic nor in the outbox, by each patient's last number in Firestore",
      isPromise: true,
    },
    {
      name: 'order broken',
      value: counted?.disordered,
      hint: 'first appearances out of sequence, or two events with one number',
      isPromise: true,
    },
    {
      name: 'mails doubled',
      value: counted?.mailsDoubled,
      hint: `patients who got the same mail twice, of ${counted?.mails ?? 0} mails`,
      isPromise: true,
    },
  ];
  return (
    <Section
      id="guarantees"
      title="The promises"
      hint={
        <>
          Counted by reading the topic, Firestore and the mailbox, not by asking the parts.{' '}
          <a href="/read/docs/guarantees.md">The promises and the tests that attack them</a>
        </>
      }
    >
      <dl class="counters">
        {counters.map(({ name, value, hint, isPromise = false }) => (
          <div
            key={name}
            class={!isPromise || value === undefined ? '' : value === 0 ? 'kept' : 'broken-promise'}
          >
            <dt>{name}</dt>
            <dd data-counter={name}>{value ?? '–'}</dd>
            <dd class="quiet">{hint}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">
        {counted === null
          ? 'Counting…'
          : (counted.stale ??
            `Counted at ${clock(counted.countedAt)} over ${counted.patients} patients; ${counted.waiting} have an event waiting.`)}
      </p>
      {counted !== null && counted.findings.length > 0 && (
        <ul class="reasons">
          {counted.findings.map((finding) => (
            <li key={finding}>{finding}</li>
          ))}
        </ul>
      )}
    </Section>
  );
}
