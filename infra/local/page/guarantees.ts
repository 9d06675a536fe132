/** Counts whether the promises hold (docs/guarantees.md), by reading the topic, Firestore and the mailbox. */
import type { Firestore } from '@google-cloud/firestore';
import { patientsWithEvents } from '../../../shared/store/outbox-backlog.ts';
import { scanPatients } from '../../../shared/store/patient-scan.ts';
import type { TopicHistory } from './history.ts';
import type { Mails } from './mails.ts';
import type { Guarantees } from './messages.ts';
import type { TopicFollower } from './topic.ts';

export interface CountedFrom {
  readonly db: Firestore;
  readonly history: TopicHistory;
  readonly follower: TopicFollower;
  readonly mails: Mails;
}

/** Limit of findings that are named; all are counted. */
const NAMED = 5;

/**
 * The order of reading makes the comparison safe: an event that Firestore shows first is in the outbox, which is read
 * next, or has left it for the topic, which is read last.
 * @returns undefined while the topic is being read up to its end
 * @throws an error of Firestore or Kafka, while one of the two does not answer
 */
export async function countGuarantees(from: CountedFrom): Promise<Guarantees | undefined> {
  const { db, history, follower, mails } = from;
  const stored = new Map<number, number>();
  for await (const { id, sequence } of scanPatients(db)) stored.set(id, sequence);
  const pending = await patientsWithEvents(db);
  if (!(await follower.isAtEnd())) return undefined;
  const { patients, events, repeats, waiting, findings } = history.conclude(stored, pending);
  const isLoss = (problem: string) => problem === 'missing' || problem === 'gap';
  const lost = findings.filter(({ problem }) => isLoss(problem)).length;
  return {
    countedAt: Date.now(),
    patients,
    published: events - repeats,
    repeated: repeats,
    waiting,
    lost,
    disordered: findings.length - lost,
    mails: mails.count,
    mailsDoubled: mails.doubled,
    findings: findings
      .slice(0, NAMED)
      .map(({ patientId, problem, sequence }) => `patient ${patientId}: ${problem} at sequence ${sequence}`),
    stale: null,
  };
}
