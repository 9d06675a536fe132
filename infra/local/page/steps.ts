/**
 * The way of each registration, request and consumed event, put together from what the parts log anyway: a line
 * belongs to a journey by its trace, a file also by the id of its import record. Pure: lines in, journeys out.
 */
import type { Journey, Station, Step } from './messages.ts';

/** A line of a part's log, as far as it matters here. */
export interface LogLine {
  readonly time?: unknown;
  readonly [field: string]: unknown;
}

interface Found extends Step {
  readonly title?: string;
  readonly patientId?: number | undefined;
  /** The import record of the file that it is about. */
  readonly recordId?: string;
}

/** Most journeys that are kept. */
const KEPT = 60;
const TRACE = 'logging.googleapis.com/trace';

/**
 * What a line says, or undefined when it says nothing of the way. A line is known by its fields, which are a closed set
 * (shared/platform/log.ts), and not by its sentence.
 */
function stepOf(line: LogLine): Found | undefined {
  const at = Date.parse(textOf(line.time));
  const text = (name: string) => textOf(line[name]);
  const has = (...names: string[]) => names.every((name) => line[name] !== undefined);
  const patientId = typeof line['patient_id'] === 'number' ? line['patient_id'] : undefined;
  const step: MakeStep = (station, what, ms, more = {}) => ({
    at,
    station,
    what,
    ms: typeof ms === 'number' ? ms : null,
    isGood: true,
    patientId,
    ...more,
  });
  const metrics = (line['metrics'] ?? {}) as Readonly<Record<string, number>>;
  const labels = (line['labels'] ?? {}) as Readonly<Record<string, string>>;
  const { route = '', topic = '', error_code = '' } = labels;
  if (metrics['request_latency_ms'] !== undefined)
    return route.includes(' /api/')
      ? step('api', 'answered', metrics['request_latency_ms'], { title: route })
      : undefined;
  if (metrics['dead_letters'] !== undefined)
    return step('consumers', `dead letter: ${error_code}`, null, {
      title: `Message on ${topic}`,
      isGood: false,
    });
  if (isImport(line)) {
    return step('import', text('outcome'), line['delay_ms'], {
      recordId: text('record_id'),
      title: 'Registration file',
      isGood: line['outcome'] !== 'failed',
    });
  }
  if (has('event_type', 'event_id', 'sequence') && metrics['events_published'] !== undefined)
    return step('kafka', `${text('event_type')} ${text('sequence')}`, metrics['publish_latency_ms']);
  if (has('event_type', 'event_id', 'outcome'))
    return step('consumers', text('outcome'), null, { title: text('event_type') });
  if (has('record_id', 'attempt', 'error_class'))
    return step('mailer', 'mail not accepted', null, { recordId: text('record_id'), isGood: false });
  if (has('record_id', 'attempt'))
    return step('communication', 'mail accepted', null, { recordId: text('record_id') });
  if (VERDICTS.has(text('status')))
    return step('health', text('status'), null, { isGood: line['status'] !== 'unhealthy' });
  return undefined;
}

const VERDICTS: ReadonlySet<string> = new Set(['healthy', 'degraded', 'unhealthy']);

/** The line with which the import ends its work on a file. */
export function isImport(line: LogLine): boolean {
  return ['record_id', 'generation', 'outcome', 'delay_ms'].every((name) => line[name] !== undefined);
}

type MakeStep = (station: Station, what: string, ms: unknown, more?: Partial<Found>) => Found;

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** The id of the trace that a line belongs to; empty when it has none. */
export function traceOf(line: LogLine): string {
  return textOf(line[TRACE]).split('/').at(-1) ?? '';
}

export interface Journeys {
  /** @returns what the line has begun or lengthened; a journey without steps has become a part of another one */
  addLine(line: LogLine): Journey[];
  /** A file that has come to the bucket. */
  addUpload(file: { readonly recordId: string; readonly name: string; readonly at: number }): Journey[];
  /** Newest first. */
  latest(): Journey[];
}

export function createJourneys(): Journeys {
  const journeys = new Map<string, Journey>();
  /** Trace → journey, where the journey began before its trace. */
  const aliases = new Map<string, string>();

  const put = (journey: Journey): Journey => {
    journeys.delete(journey.id);
    journeys.set(journey.id, journey);
    for (const [id] of journeys) {
      if (journeys.size <= KEPT) break;
      journeys.delete(id);
    }
    // As old as the journeys they lead to.
    for (const [trace, id] of aliases) {
      if (aliases.size <= 4 * KEPT) break;
      if (!journeys.has(id)) aliases.delete(trace);
    }
    return journey;
  };

  const extend = (id: string, { title, patientId, at, station, ms, what, isGood }: Found): Journey => {
    const known = journeys.get(id);
    const steps = [...(known?.steps ?? []), { at, station, ms, what, isGood }]
      .sort((a, b) => a.at - b.at)
      .slice(-20);
    return put({
      id,
      title:
        station === 'bucket' || known === undefined || known.title === UNTITLED
          ? (title ?? UNTITLED)
          : known.title,
      patientId: patientId ?? known?.patientId ?? null,
      steps,
    });
  };

  /** What a trace has told before its file was known belongs to the file's journey. */
  const join = (trace: string, id: string): Journey[] => {
    aliases.set(trace, id);
    const early = journeys.get(trace);
    if (early === undefined) return [];
    journeys.delete(trace);
    for (const step of early.steps) extend(id, { ...step, patientId: early.patientId ?? undefined });
    return [{ ...early, steps: [] }];
  };

  return {
    addLine(line) {
      const found = stepOf(line);
      if (found === undefined || Number.isNaN(found.at)) return [];
      const trace = traceOf(line);
      const file = `file:${found.recordId}`;
      const isOfFile =
        found.recordId !== undefined && (found.station === 'import' || journeys.has(file)) && trace !== '';
      const gone = isOfFile && !aliases.has(trace) ? join(trace, file) : [];
      const id = aliases.get(trace) ?? (trace === '' ? `${found.station}:${found.at}` : trace);
      // The scheduled run is the watchman's round: seen in the picture, and no journey of its own.
      if (found.station === 'health')
        return [{ id, title: 'Scheduled run', patientId: null, steps: [found] }];
      return [...gone, extend(id, found)];
    },
    addUpload({ recordId, name, at }) {
      const step = { at, station: 'bucket', ms: null, what: 'uploaded', isGood: true } as const;
      return [extend(`file:${recordId}`, { ...step, title: name })];
    },
    latest: () => [...journeys.values()].reverse(),
  };
}

const UNTITLED = 'On its way';
