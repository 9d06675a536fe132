/** Keeps the state that the server streams: merges each message, and notifies the animation of new steps. */
import { useEffect, useReducer } from 'preact/hooks';
import type { Journey, State, Step } from '../messages.ts';

const empty: State = { parts: [], journeys: [], files: [], guarantees: null, figures: null };
const KEPT_JOURNEYS = 60;

export interface Live extends State {
  readonly isConnected: boolean;
}

type Message = { readonly change: Partial<State> } | { readonly isConnected: boolean };

const listeners = new Set<(steps: readonly Step[]) => void>();

/** Calls back with each batch of new steps. @returns a function that ends it */
export function onSteps(listener: (steps: readonly Step[]) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function useLive(): Live {
  const [live, dispatch] = useReducer(merge, { ...empty, isConnected: false });
  useEffect(() => {
    const source = new EventSource('/local/live');
    let known: Set<string> | undefined;
    source.addEventListener('open', () => dispatch({ isConnected: true }));
    source.addEventListener('error', () => {
      known = undefined;
      dispatch({ isConnected: false });
    });
    source.addEventListener('message', ({ data }: MessageEvent<string>) => {
      const change = JSON.parse(data) as Partial<State>;
      known = noteSteps(known, change.journeys ?? []);
      dispatch({ change });
    });
    return () => source.close();
  }, []);
  return live;
}

function merge(live: Live, message: Message): Live {
  if ('isConnected' in message) return { ...live, isConnected: message.isConnected };
  const { change } = message;
  if (change.journeys === undefined) return { ...live, ...change };
  const changed = new Set(change.journeys.map(({ id }) => id));
  const rest = live.journeys.filter(({ id }) => !changed.has(id));
  // A journey without steps was merged into another; the scheduled run appears in the picture only.
  const shown = change.journeys.filter(({ steps }) => steps.some(({ station }) => station !== 'health'));
  const all = [...shown, ...rest].sort((a, b) => lastOf(b) - lastOf(a));
  return { ...live, ...change, journeys: all.slice(0, KEPT_JOURNEYS) };
}

function lastOf({ steps }: Journey): number {
  return steps.at(-1)?.at ?? 0;
}

/** Limit of steps that are remembered as seen. */
const REMEMBERED = 5_000;

/** @param known the steps seen before; undefined for the first message, whose steps are all in the past */
function noteSteps(known: Set<string> | undefined, journeys: readonly Journey[]): Set<string> {
  const now = known ?? new Set<string>();
  const fresh: Step[] = [];
  for (const step of journeys.flatMap(({ steps }) => steps)) {
    const key = `${step.station} ${step.at} ${step.what}`;
    if (known !== undefined && !now.has(key)) fresh.push(step);
    now.add(key);
  }
  for (const key of now) {
    if (now.size <= REMEMBERED) break;
    now.delete(key);
  }
  if (fresh.length > 0) for (const listener of listeners) listener(fresh);
  return now;
}
