/** Reads one message of patient-events: what it says, or why it cannot be read. Never throws. */

export interface PatientEvent {
  readonly type: string;
  readonly patientId: number;
  /** The patient's own event number. */
  readonly sequence: number;
  /** The whole patient after the change, where the event carries it. */
  readonly patient: PatientData | undefined;
}

export interface PatientData {
  readonly nachname: string | null;
  readonly vorname: string | null;
  /** As text: 1.x may add values to a closed list. */
  readonly status: string | null;
  /** All fields. */
  readonly json: string;
}

/** `ignored` is of no use to this reader and no fault. `refused` is a fault that somebody has to look at. */
export type Reading = PatientEvent | 'ignored' | { readonly refused: string };

const TYPES_WITH_PATIENT = new Set(['patient.created', 'patient.updated', 'patient.status_changed']);
const TYPES_WITHOUT_PATIENT = new Set(['patient.therapist_excluded', 'patient.deleted']);

export function readMessage(value: Buffer | null): Reading {
  // A tombstone. This service sends none.
  if (value === null) return 'ignored';
  let event: unknown;
  try {
    event = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value));
  } catch {
    // The parser's own message quotes the text, which may be a person's data: do not log it.
    return { refused: 'not JSON' };
  }
  if (!isObject(event) || typeof event['eventType'] !== 'string' || typeof event['version'] !== 'string')
    return { refused: 'no envelope' };
  // 1.x only adds keys, types and values. Another major version may mean something else by the same key.
  if (!/^1(\.\d+)?$/.test(event['version'])) return { refused: 'unknown version' };

  const { eventType: type, sequence, payload } = event;
  const patientId = isObject(payload) ? payload['patient_id'] : undefined;
  const withPatient = TYPES_WITH_PATIENT.has(type);
  if (!isPositive(sequence) || !isPositive(patientId)) {
    const isKnown = withPatient || TYPES_WITHOUT_PATIENT.has(type);
    return isKnown ? { refused: 'no patient_id or sequence' } : 'ignored';
  }
  if (!withPatient) return { type, patientId, sequence, patient: undefined };
  const patient = isObject(payload) ? readPatient(payload['patient_data'], patientId) : undefined;
  return patient === undefined ? { refused: 'no patient_data' } : { type, patientId, sequence, patient };
}

function readPatient(patient: unknown, id: number): PatientData | undefined {
  if (!isObject(patient) || patient['id'] !== id) return undefined;
  try {
    return {
      nachname: textOf(patient['nachname']),
      vorname: textOf(patient['vorname']),
      status: textOf(patient['status']),
      json: JSON.stringify(patient),
    };
  } catch {
    // JSON.parse reads brackets to any depth, JSON.stringify writes them only as far as the stack reaches.
    return undefined;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPositive(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
