/**
 * The journey of each registration, request and consumed event, assembled from the parts' ordinary logs: a line belongs to
 * a journey by its trace, or for a file also by the id of its import record. Pure: lines in, journeys out.
 */
import type { metrics } from '../../../shared/platform/metrics.ts';
import type { Journey, Station, Step } from './messages.ts';

type MetricName = keyof typeof metrics;

/** The members of a log line that are used here. */
export interface LogLine {
  readonly time?: unknown;
  readonly metrics?: Readonly<Partial<Record<MetricName, number>>>;
  readonly labels?: unknown;
  readonly [field: string]: unknown;
}

interface Found extends Step {
  readonly title?: string;
  readonly patientId?: number | undefined;
  /** The import record of the file that the line is about. */
  readonly recordId?: string;
}

/** Limit of journeys that are kept. */
const KEPT = 60;
const TRACE = 'logging.googleapis.com/trace';

/**
 * The step that a line reports, or undefined when it reports none. A line is recognised by its metrics, which are a closed
 * set (shared/platform/metrics.ts), not by its message.
 */
function stepOf(line: LogLine): Found | undefined {
  const text = (name: string) => textOf(line[name]);
  const { route = '', topic = '', error_code = '' } = (line.labels ?? {}) as Labels;
  const metrics = line.metrics ?? {};
  const step = (station: Station, what: string, more: Partial<Found> = {}): Found => ({
    at: Date.parse(textOf(line.time)),
    station,
    what,
    ms: null,
    isGood: true,
    patientId: typeof line['patient_id'] === 'number' ? line['patient_id'] : undefined,
    ...more,
  });
  if (isImport(line)) {
    return step('import', text('outcome'), {
      ms: metrics.import_latency_ms ?? null,
      recordId: text('record_id'),
      title: 'Registration file',
      isGood: line['outcome'] !== 'failed',
    });
  }
  if (metrics.publish_latency_ms !== undefined)
    return step('kafka', `${text('event_type')} ${text('sequence')}`, { ms: metrics.publish_latency_ms });
  if (metrics.consume_latency_ms !== undefined)
    return step('consumers', text('outcome'), { ms: metrics.consume_latency_ms, title: text('event_type') });
  if (metrics.mails_sent !== undefined)
    return step('communication', 'mail accepted', { recordId: text('record_id') });
  if (metrics.request_latency_ms !== undefined && route.includes(' /api/'))
    return step('api', 'answered', { ms: metrics.request_latency_ms, title: route });
  if (metrics.dead_letters !== undefined)
    return step('consumers', `dead letter: ${error_code}`, { title: `Message on ${topic}`, isGood: false });
  if (['record_id', 'attempt', 'error_class'].every((name) => line[name] !== undefined))
    return step('mailer', 'mail not accepted', { recordId: text('record_id'), isGood: false });
  if (VERDICTS.has(text('status')))
    return step('health', text('status'), { isGood: line['status'] !== 'unhealthy' });
  return undefined;
}

type Labels = Readonly<Partial<Record<string, string>>>;

const VERDICTS: ReadonlySet<string> = new Set(['healthy', 'degraded', 'unhealthy']);

/** True for the line with which the import ends its work on a file. */
export function isImport({ metrics, record_id }: LogLine): boolean {
  return metrics?.imports !== undefined && record_id !== undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** The id of the trace that a line belongs to; empty when it has none. */
export function traceOf(line: LogLine): string {
  return textOf(line[TRACE]).split('/').at(-1) ?? '';
}

export interface Journeys {
  /** @returns the journeys that the line started or extended; a journey without steps was merged into another one */
  addLine(line: LogLine): Journey[];
  /** Adds a file that was uploaded to the bucket. */
  addUpload(file: { readonly recordId: string; readonly name: string; readonly at: number }): Journey[];
  /** Newest first. */
  latest(): Journey[];
}

export function createJourneys(): Journeys {
  const journeys = new Map<string, Journey>();
  /** Trace → journey, for journeys that began before their trace. */
  const aliases = new Map<string, string>();

  const put = (journey: Journey): Journey => {
    journeys.delete(journey.id);
    journeys.set(journey.id, journey);
    for (const [id] of journeys) {
      if (journeys.size <= KEPT) break;
      journeys.delete(id);
    }
    // The aliases are bounded too, oldest first.
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

  /** Moves the steps of a trace that were logged before its file was known into the file's journey. */
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
      // The scheduled run appears in the picture, but is not listed as a journey.
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
