/**
 * A table of patients that repeats, restarts and erasures leave right. Beside it stands each patient's last event
 * number: without it a repeat could overwrite what came later, or bring an erased person back.
 */
import { DatabaseSync } from 'node:sqlite';
import { readMessage, type PatientEvent } from './message.ts';

export interface Message {
  readonly partition: number;
  readonly offset: string;
  readonly value: Buffer | null;
  /** The header `traceparent`: by it the logs of the patient service tell what caused the event. */
  readonly trace: string | undefined;
}

/** How many messages of a batch ended how. */
export type Outcomes = Record<'applied' | 'repeated' | 'erased' | 'ignored' | 'refused', number>;

export interface PatientTable {
  /** Applies the messages in their order, all or none. @throws Error when the database cannot be written */
  write(messages: readonly Message[]): Outcomes;
  close(): void;
}

const SCHEMA = `
  -- Overwrites what is deleted, so that an erased person is not left in the file's free pages.
  PRAGMA secure_delete = ON;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS patients (
    id INTEGER PRIMARY KEY,
    nachname TEXT, vorname TEXT, status TEXT,
    patient TEXT NOT NULL -- all fields, as JSON
  ) STRICT;
  -- Numbers only, no personal data: a row stays when its patient is erased.
  CREATE TABLE IF NOT EXISTS last_events (
    patient_id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    erased INTEGER NOT NULL
  ) STRICT;
  -- Where messages stand that could not be read, never what they say.
  CREATE TABLE IF NOT EXISTS refused_messages (
    partition INTEGER NOT NULL,
    message_offset INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (partition, message_offset)
  ) STRICT;
`;

export function openPatientTable(file: string): PatientTable {
  // Waits for up to 5 s while another process writes.
  const db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec(SCHEMA);
  const last = db.prepare('SELECT sequence, erased FROM last_events WHERE patient_id = ?');
  const remember = db.prepare(
    `INSERT INTO last_events (patient_id, sequence, erased) VALUES (?, ?, ?)
     ON CONFLICT (patient_id) DO UPDATE SET sequence = max(sequence, excluded.sequence), erased = excluded.erased`,
  );
  const store = db.prepare(
    'INSERT OR REPLACE INTO patients (id, nachname, vorname, status, patient) VALUES (?, ?, ?, ?, ?)',
  );
  const erase = db.prepare('DELETE FROM patients WHERE id = ?');
  const refuse = db.prepare('INSERT OR IGNORE INTO refused_messages VALUES (?, ?, ?)');

  function apply({ type, patientId, sequence, patient }: PatientEvent): keyof Outcomes {
    const known = last.get(patientId) as { sequence: number; erased: number } | undefined;
    // Nothing brings an erased patient back, whatever its number: ids are never given twice.
    if (known?.erased === 1) return 'erased';
    if (type === 'patient.deleted') {
      erase.run(patientId);
      remember.run(patientId, sequence, 1);
      return 'applied';
    }
    if (known !== undefined && sequence <= known.sequence) return 'repeated';
    if (known !== undefined && sequence > known.sequence + 1) {
      // The state below is complete all the same. What is missing are the changes between.
      console.warn(`patient ${patientId}: event ${sequence} follows ${known.sequence}`);
    }
    // Without patient_data: an event of a type that this table does not need. Its number counts.
    if (patient !== undefined) {
      store.run(patientId, patient.nachname, patient.vorname, patient.status, patient.json);
    }
    remember.run(patientId, sequence, 0);
    return 'applied';
  }

  function applyMessage({ partition, offset, value, trace }: Message): keyof Outcomes {
    const reading = readMessage(value);
    if (reading === 'ignored') return 'ignored';
    if (!('refused' in reading)) return apply(reading);
    // It would fail each time. It is noted and passed over, so that the next messages are not held up.
    refuse.run(partition, Number(offset), reading.refused);
    console.warn(JSON.stringify({ refused: reading.refused, partition, offset, trace }));
    return 'refused';
  }

  return {
    write(messages) {
      const outcomes: Outcomes = { applied: 0, repeated: 0, erased: 0, ignored: 0, refused: 0 };
      db.exec('BEGIN IMMEDIATE');
      try {
        for (const message of messages) outcomes[applyMessage(message)] += 1;
        db.exec('COMMIT');
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
      return outcomes;
    },
    close: () => db.close(),
  };
}
