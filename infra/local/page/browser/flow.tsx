/** The picture of the flow: animates each step along the lines, and lists the newest journeys below. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Figures, Journey, PartState, Station, Step } from '../messages.ts';
import { onSteps } from './live.ts';
import { clock, milliseconds, Section } from './ui.tsx';

interface Box {
  readonly title: string;
  readonly hint: string;
  /** The part that must be up for this station. */
  readonly part: string;
  readonly x: number;
  readonly y: number;
  readonly height?: number;
}

const WIDTH = 158;
const HEIGHT = 58;

const boxes: Readonly<Record<Station, Box>> = {
  bucket: { title: 'Bucket', hint: 'incoming/', part: 'storage', x: 10, y: 34 },
  import: { title: 'Import', hint: 'import-registration', part: 'import', x: 230, y: 34 },
  api: { title: 'HTTP API', hint: 'patients-api', part: 'api', x: 230, y: 158 },
  store: { title: 'Firestore', hint: 'patients + outbox', part: 'firestore', x: 450, y: 96 },
  mailer: { title: 'Mailer', hint: 'kafka-worker', part: 'worker', x: 680, y: 34 },
  relay: { title: 'Relay', hint: 'kafka-worker', part: 'worker', x: 680, y: 124 },
  consumers: { title: 'Consumers', hint: 'kafka-worker', part: 'worker', x: 680, y: 214 },
  communication: { title: 'Mail service', hint: 'stand-in', part: 'communication', x: 932, y: 34 },
  kafka: { title: 'Kafka', hint: 'topics', part: 'kafka', x: 932, y: 124, height: 148 },
  health: { title: 'Health', hint: 'check-health', part: 'health', x: 450, y: 232 },
};

const lines = {
  upload: 'M168 63 H230',
  imported: 'M388 63 C425 63 415 115 450 115',
  changed: 'M388 187 C425 187 415 135 450 135',
  relayed: 'M608 130 C650 130 640 153 680 153',
  mailing: 'M608 112 C650 112 640 63 680 63',
  published: 'M838 153 H932',
  mailed: 'M838 63 H932',
  announced: 'M1011 92 V124',
  consumed: 'M932 243 H838',
  applied: 'M680 243 C630 243 650 146 608 146',
  watched: 'M529 232 V154',
} as const;

/** The lines that lead to a station, in order. */
const ways: Readonly<Record<Station, readonly (keyof typeof lines)[]>> = {
  bucket: [],
  import: ['upload', 'imported'],
  api: ['changed'],
  store: [],
  relay: ['relayed'],
  kafka: ['relayed', 'published'],
  mailer: ['mailing'],
  communication: ['mailing', 'mailed', 'announced'],
  consumers: ['consumed', 'applied'],
  health: ['watched'],
};

/** The part of the worker that brought the step there. */
const through: Partial<Record<Station, Station>> = { kafka: 'relay', communication: 'mailer' };

const RUN_MS = 420;
/** Limit of animations at once: more would be a blur. All steps are counted. */
const MOST_DOTS = 40;

export function Flow({
  parts,
  journeys,
  figures,
}: {
  parts: readonly PartState[];
  journeys: readonly Journey[];
  figures: Figures | null;
}) {
  const picture = useRef<SVGSVGElement>(null);
  const [seen, setSeen] = useState<Partial<Record<Station, { count: number; ms: number | null }>>>({});
  useEffect(
    () =>
      onSteps((steps) => {
        setSeen((before) => counted(before, steps));
        for (const step of steps) if (picture.current !== null) animate(picture.current, step);
      }),
    [],
  );
  const stateOf = (name: string) => parts.find((part) => part.name === name)?.state ?? 'up';
  const waiting = figures?.outbox;
  const noteOf = (station: Station) => {
    if (station === 'store' && waiting) return `outbox: ${waiting.events + waiting.mails} waiting`;
    if (station === 'health') return figures?.health?.status ?? 'no answer';
    const here = seen[station];
    if (here === undefined) return '';
    return here.ms === null ? `${here.count} seen` : `${here.count} seen, last ${milliseconds(here.ms)}`;
  };
  return (
    <Section
      id="flow"
      title="The flow"
      hint="Each registration, request and consumed event as it moves, read from the parts' logs."
    >
      <div class="scroll">
        <svg ref={picture} viewBox="0 0 1100 306" role="img" aria-labelledby="flow-says" class="flow">
          <desc id="flow-says">
            Files go from the bucket through the import into Firestore, requests through the API; the worker
            takes both from the outbox to Kafka and to the mail service, and applies what it consumes.
          </desc>
          <rect class="group" x="664" y="12" width="190" height="276" rx="14" />
          <text class="group-name" x="759" y="302">
            kafka-worker
          </text>
          {Object.entries(lines).map(([name, path]) => (
            <path key={name} class={name === 'watched' ? 'line dashed' : 'line'} d={path} />
          ))}
          {(Object.entries(boxes) as [Station, Box][]).map(([station, box]) => (
            <g key={station} data-station={station} class={`box ${stateOf(box.part)}`}>
              <rect x={box.x} y={box.y} width={WIDTH} height={box.height ?? HEIGHT} rx="10" />
              <circle class="lamp" cx={box.x + WIDTH - 14} cy={box.y + 14} r="4.5" />
              <text class="name" x={box.x + 14} y={box.y + 24}>
                {box.title}
              </text>
              <text class="note" x={box.x + 14} y={box.y + 43}>
                {stateOf(box.part) === 'stopped' || stateOf(box.part) === 'down'
                  ? stateOf(box.part)
                  : noteOf(station) || box.hint}
              </text>
            </g>
          ))}
          {['patient-events', 'communication-events', 'therapist-events'].map((topic, index) => (
            <text key={topic} class="topic" x="946" y={208 + 19 * index}>
              {topic}
            </text>
          ))}
        </svg>
      </div>
      <Journeys journeys={journeys.slice(0, 6)} />
    </Section>
  );
}

function Journeys({ journeys }: { journeys: readonly Journey[] }) {
  if (journeys.length === 0) return <p class="quiet">Nothing has passed yet. Drop a file below.</p>;
  return (
    <ol class="journeys" aria-label="The newest journeys">
      {journeys.map(({ id, title, patientId, steps }) => (
        <li key={id}>
          <time>{clock(steps[0]?.at ?? 0)}</time>
          <span class="what">
            {title}
            {patientId !== null && <span class="quiet"> · patient {patientId}</span>}
          </span>
          <span class="chips">
            {steps.map((step, index) => (
              <span key={`${step.station}${step.at}${index}`} class={step.isGood ? 'chip' : 'chip bad'}>
                {boxes[step.station].title}: {step.what}
                <b>{timeOf(step, steps[0])}</b>
              </span>
            ))}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** The duration that the part measured; without one, the time since the journey's first step. */
function timeOf(step: Step, first: Step | undefined): string {
  if (step.ms !== null) return milliseconds(step.ms);
  const since = step.at - (first?.at ?? step.at);
  return since === 0 ? '' : `+${milliseconds(since)}`;
}

function counted(
  before: Partial<Record<Station, { count: number; ms: number | null }>>,
  steps: readonly Step[],
): typeof before {
  const now = { ...before };
  for (const { station, ms } of steps) {
    for (const passed of [station, through[station]]) {
      if (passed === undefined) continue;
      const here = now[passed] ?? { count: 0, ms: null };
      now[passed] = { count: here.count + 1, ms: ms ?? here.ms };
    }
  }
  return now;
}

function animate(picture: SVGSVGElement, step: Step): void {
  const box = picture.querySelector(`[data-station="${step.station}"] rect`);
  const style = step.isGood ? 'pulse' : 'pulse bad';
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  if (picture.querySelectorAll('.dot').length >= MOST_DOTS) return;
  const way = ways[step.station];
  way.forEach((name, index) => {
    const dot = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
    dot.setAttribute('class', step.isGood ? 'dot' : 'dot bad');
    dot.setAttribute('r', '6');
    dot.style.offsetPath = `path('${lines[name]}')`;
    picture.append(dot);
    const run = dot.animate(
      [
        { offsetDistance: '0%', opacity: 1 },
        { offsetDistance: '100%', opacity: 1 },
      ],
      { duration: RUN_MS, delay: index * RUN_MS, easing: 'ease-in-out' },
    );
    run.onfinish = () => dot.remove();
  });
  setTimeout(() => {
    box?.setAttribute('class', style);
    setTimeout(() => box?.removeAttribute('class'), 600);
  }, way.length * RUN_MS);
}
