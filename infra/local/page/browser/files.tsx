/** Files: dropped, chosen or invented, and the outcome of each. */
import { useContext, useRef, useState } from 'preact/hooks';
import type { FileRow } from '../messages.ts';
import { post } from './ask.ts';
import { Badge, clock, Do, Say, Section } from './ui.tsx';

export function Files({ files, onPatient }: { files: readonly FileRow[]; onPatient: (id: number) => void }) {
  const say = useContext(Say);
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const upload = async (list: FileList | null) => {
    const chosen = [...(list ?? [])];
    for (const file of chosen) await post(`/local/files?name=${encodeURIComponent(file.name)}`, file);
    say(
      chosen.length === 1
        ? `${chosen[0]?.name} is in incoming/.`
        : `${chosen.length} files are in incoming/.`,
    );
  };
  const tryUpload = (list: FileList | null) =>
    void upload(list).catch((error: Error) => say(`That did not work: ${error.message}`));
  const examples = (kind: 'good' | 'broken' | 'twice', count: number) => async () => {
    const { uploaded } = await post<{ uploaded: string[] }>('/local/examples', { kind, count });
    return uploaded.length === 1
      ? `${uploaded[0]} is in incoming/.`
      : `${uploaded.length} files are in incoming/.`;
  };
  return (
    <Section id="files" title="Registration files" hint="Dropped here, they go to incoming/ in the bucket.">
      <div
        class={isOver ? 'drop over' : 'drop'}
        onDragOver={(event) => (event.preventDefault(), setOver(true))}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          tryUpload(event.dataTransfer?.files ?? null);
        }}
      >
        <p>
          <label>
            <input
              ref={input}
              type="file"
              multiple
              class="unseen"
              onChange={() => {
                tryUpload(input.current?.files ?? null);
                if (input.current !== null) input.current.value = '';
              }}
            />
            <span class="like-button">Choose files…</span>
          </label>{' '}
          <span class="quiet">or drag them here</span>
        </p>
        <div class="row">
          <Do kind="main" action={examples('good', 1)}>
            An example
          </Do>
          <Do action={examples('broken', 1)}>A broken one</Do>
          <Do action={examples('good', 50)}>Fifty at once</Do>
          <Do action={examples('twice', 1)}>One person twice</Do>
        </div>
      </div>
      {files.length === 0 ? (
        <p class="quiet">No file has arrived yet.</p>
      ) : (
        <ul class="files scroll tall" aria-label="The outcome of each file" tabIndex={0}>
          {files.map((file) => (
            <File key={file.recordId} file={file} onPatient={onPatient} />
          ))}
        </ul>
      )}
    </Section>
  );
}

const kinds = { imported: 'good', duplicate: 'plain', erased: 'plain', failed: 'bad' } as const;

function File({ file, onPatient }: { file: FileRow; onPatient: (id: number) => void }) {
  const { recordId, name, at, outcome, sentence, reason, broken, patientId, deliveries } = file;
  const again = async () => {
    const { acknowledged } = await post<{ acknowledged: boolean }>(`/local/files/${recordId}/deliver`);
    return acknowledged
      ? `The event of ${name} was delivered again and acknowledged: nothing must have changed.`
      : 'The import did not acknowledge it.';
  };
  return (
    <li>
      <div class="row between">
        <span>
          <Badge kind={outcome === null ? 'plain' : kinds[outcome]}>{outcome ?? 'on its way'}</Badge>{' '}
          <span class="file-name">{name}</span>
          <span class="quiet"> {clock(at)}</span>
          {deliveries > 1 && <span class="quiet"> · delivered {deliveries} times</span>}
        </span>
        <span class="row">
          {patientId !== null && (
            <button type="button" class="link" onClick={() => onPatient(patientId)}>
              patient {patientId}
            </button>
          )}
          <Do kind="small" action={again} label={`Deliver ${name} again`}>
            Deliver again
          </Do>
        </span>
      </div>
      {sentence !== null && (
        <p class="why">
          {sentence} <code>{reason}</code>{' '}
          <a href="/read/docs/domain.md#registration-files">the rules of a file</a>
        </p>
      )}
      {broken.length > 0 && (
        <dl class="broken">
          {broken.map(({ pointer, detail, rule }, index) => (
            <div key={`${pointer}${index}`}>
              <dt>
                <code>{pointer === '' ? 'the file' : pointer}</code>
              </dt>
              <dd>
                {detail}
                {rule !== null && <span class="quiet"> The rule: {rule}.</span>}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}
