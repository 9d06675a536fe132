/** The types of the page's event stream, which server and browser share. */

/** A box of the picture. The worker has three: its relay, its mailer and its consumers. */
export type Station =
  | 'bucket'
  | 'import'
  | 'api'
  | 'store'
  | 'relay'
  | 'kafka'
  | 'mailer'
  | 'communication'
  | 'consumers'
  | 'health';

/** An arrival at a station, as a part logged it. */
export interface Step {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly station: Station;
  /** The duration that the part measured; null when it measured none. */
  readonly ms: number | null;
  readonly what: string;
  readonly isGood: boolean;
}

/** One registration, request or consumed event with its steps. */
export interface Journey {
  readonly id: string;
  readonly title: string;
  readonly patientId: number | null;
  readonly steps: readonly Step[];
}

export interface PartState {
  readonly name: string;
  /** `given`: an engine that the stack did not start. */
  readonly state: 'up' | 'down' | 'stopped' | 'given';
  readonly pid: number | null;
}

export interface BrokenRule {
  readonly pointer: string;
  /** The violation, in the import's words. */
  readonly detail: string;
  /** The field's rule from docs/domain.md; null when the violation concerns no field. */
  readonly rule: string | null;
}

/** A file below `incoming/` and its outcome. */
export interface FileRow {
  readonly recordId: string;
  readonly name: string;
  readonly at: number;
  /** Null until the import has finished. */
  readonly outcome: 'imported' | 'duplicate' | 'failed' | 'erased' | null;
  readonly reason: string | null;
  /** The rule behind the reason, in a sentence. */
  readonly sentence: string | null;
  readonly broken: readonly BrokenRule[];
  readonly patientId: number | null;
  readonly archivePath: string | null;
  /** How often its event was delivered to the import. */
  readonly deliveries: number;
}

/** Counted by reading the topic, Firestore and the mailbox. */
export interface Guarantees {
  readonly countedAt: number;
  readonly patients: number;
  readonly published: number;
  readonly repeated: number;
  readonly waiting: number;
  readonly lost: number;
  readonly disordered: number;
  readonly mails: number;
  readonly mailsDoubled: number;
  /** The first few findings, in words. */
  readonly findings: readonly string[];
  /** Why the figures are out of date; null when they are current. */
  readonly stale: string | null;
}

/** A check of the health verdict. */
export interface Check {
  readonly name: string;
  readonly status: string;
  readonly reasons: readonly string[];
  /** Names of files in docs/runbooks, without `.md`. */
  readonly runbooks: readonly string[];
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  readonly committed: string | null;
  readonly end: string;
  readonly lag: number;
}

export interface DeadLetter {
  /** `topic:partition:offset`, as the operators' command names it. */
  readonly place: string;
  readonly error: string;
  readonly message: string;
  readonly at: string | null;
  readonly origin: string | null;
  readonly advice: string;
}

/** Figures are null when their source does not answer. */
export interface Figures {
  readonly health: { readonly status: string; readonly checks: readonly Check[] } | null;
  readonly outbox: {
    readonly events: number;
    readonly mails: number;
    readonly oldestSeconds: number;
  } | null;
  readonly lag: readonly PartitionLag[] | null;
  readonly deadLetters: readonly DeadLetter[] | null;
}

/** The whole state when the stream opens; each later message holds the members that have changed. */
export interface State {
  readonly parts: readonly PartState[];
  readonly journeys: readonly Journey[];
  readonly files: readonly FileRow[];
  readonly guarantees: Guarantees | null;
  readonly figures: Figures | null;
}

/** An event of a patient on the topic. */
export interface PublishedEvent {
  readonly sequence: number;
  readonly eventType: string;
  readonly eventId: string;
  readonly timestamp: string;
  readonly partition: number;
  readonly offset: string;
  /** The number of its copies on the topic: copies are exact repeats, which readers drop. */
  readonly times: number;
  readonly payload: unknown;
}

export interface Mail {
  readonly id: number;
  readonly receivedAt: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** A patient field in plain words. */
export interface FieldText {
  readonly name: string;
  /** English: the names are German, since they are part of the contract. */
  readonly meaning: string;
  readonly type: string;
}
