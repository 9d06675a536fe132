/** Small components that several sections of the page use. */
import type { ComponentChildren } from 'preact';
import { createContext } from 'preact';
import { useContext, useEffect, useId, useRef, useState } from 'preact/hooks';
import type { FieldText } from '../messages.ts';

/** Announces a message to screen readers, and shows it for a few seconds. */
export const Say = createContext<(sentence: string) => void>(() => undefined);
export const Fields = createContext<ReadonlyMap<string, FieldText>>(new Map());

export function Section({
  id,
  title,
  hint,
  children,
}: {
  id: string;
  title: string;
  hint?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section id={id} class="card" aria-labelledby={`${id}-title`}>
      <header class="card-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {hint !== undefined && <p class="quiet">{hint}</p>}
      </header>
      {children}
    </section>
  );
}

/** A button that shows when its action is running, and announces the result. */
export function Do({
  action,
  children,
  kind = '',
  label,
  disabled = false,
}: {
  action: () => Promise<string | void>;
  children: ComponentChildren;
  kind?: '' | 'main' | 'danger' | 'small' | 'small danger';
  label?: string;
  disabled?: boolean;
}) {
  const say = useContext(Say);
  const [isBusy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      const sentence = await action();
      if (sentence !== undefined && sentence !== '') say(sentence);
    } catch (error) {
      say(`That did not work: ${(error as Error).message}`);
    } finally {
      setBusy(false);
    }
  };
  // Not `disabled` while the action runs: the button would lose the focus.
  return (
    <button
      type="button"
      class={kind}
      aria-label={label}
      aria-busy={isBusy}
      disabled={disabled}
      onClick={() => void (isBusy || run())}
    >
      {children}
    </button>
  );
}

/** A word of the contract with its English meaning: on hover, on focus, and for screen readers. */
export function Term({ name, children }: { name: string; children?: ComponentChildren }) {
  const id = useId();
  const field = useContext(Fields).get(name);
  if (field === undefined) return <code>{children ?? name}</code>;
  return (
    <Tip id={id} text={`${field.meaning}. ${field.type}`}>
      <code>{children ?? name}</code>
    </Tip>
  );
}

export function Tip({ id, text, children }: { id: string; text: string; children: ComponentChildren }) {
  const close = (event: KeyboardEvent) => {
    if (event.key === 'Escape') (event.currentTarget as HTMLElement).blur();
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <span class="term" tabIndex={0} aria-describedby={id} onKeyDown={close}>
      {children}
      <span role="tooltip" id={id}>
        {text}
      </span>
    </span>
  );
}

export function Copy({ text, label }: { text: string; label: string }) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    return 'Copied.';
  };
  return (
    <div class="copy">
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Do kind="small" action={copy} label={`Copy: ${label}`}>
        Copy
      </Do>
    </div>
  );
}

/** Asks for confirmation before an action that cannot be undone. */
export function Confirm({
  open,
  question,
  yes,
  onYes,
  onClose,
}: {
  open: boolean;
  question: string;
  yes: string;
  onYes: () => void;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <p id={id}>{question}</p>
      <div class="row">
        <button type="button" onClick={onClose}>
          Leave it
        </button>
        <button type="button" class="danger" onClick={() => (onYes(), onClose())}>
          {yes}
        </button>
      </div>
    </dialog>
  );
}

export function Badge({ kind, children }: { kind: string; children: ComponentChildren }) {
  return <span class={`badge ${kind}`}>{children}</span>;
}

export function clock(at: number | string): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

export function milliseconds(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
