/** Explains words that a visitor may not know: values of the contract, which are German, and terms of the service. */
import { useId } from 'preact/hooks';
import { Tip } from './ui.tsx';

const words: Readonly<Record<string, string>> = {
  offen: 'Open: registered, the search for a place in therapy has not started.',
  auf_der_Suche: 'Searching: paid and signed, the service looks for a place in therapy.',
  in_Therapie: 'In therapy.',
  Therapie_abgeschlossen: 'Therapy completed.',
  Suche_abgebrochen: 'Search cancelled.',
  Therapie_abgebrochen: 'Therapy broken off.',
  Outbox: 'Events and mails that were written together with a change and have not been sent yet.',
  Lag: 'Messages on a consumed topic that are not applied yet, for each of its partitions.',
  'Dead letters':
    'Messages that can never be applied, kept with the reason until an operator replays or drops them.',
};

export const meaningOf = (word: string): string | undefined => words[word];

/** The word, explained on hover, on focus, and for screen readers. */
export function Word({ children }: { children: string }) {
  const id = useId();
  const text = meaningOf(children);
  return text === undefined ? (
    <>{children}</>
  ) : (
    <Tip id={id} text={text}>
      {children}
    </Tip>
  );
}
