/**
 * Every write that could meet itself when its answer is lost, and the test that loses it. A transaction runs again; the
 * client sends a single write again, whose precondition then fails because of what it wrote itself.
 */
import { glob, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

const STORE = 'shared/store/lost-answers.test.ts';
const CREATION = 'shared/store/patient-creation.test.ts';

/** The function that writes → the test, or why it needs none. */
const covered: Readonly<Record<string, readonly [file: string, test: string] | string>> = {
  'shared/store/patients.ts updatePatient': [STORE, 'has the result of the committed run'],
  'shared/store/patient-creation.ts attempt': [CREATION, 'it is one patient, and new'],
  'shared/store/erasures.ts beginErasure': [STORE, 'an erasure whose answer was lost is one erasure'],
  'shared/store/erasures.ts announceErasure': [STORE, 'an erasure whose answer was lost is one erasure'],
  'shared/store/registrations.ts storeRegistration': [
    'shared/registration/mail-limit.test.ts',
    'are not withheld without a warning when the response to the registration was lost',
  ],
  'shared/store/registrations.ts recordWithoutPatient': [STORE, 'has the record of the committed run'],
  'shared/store/patient-ids.ts leaseBlock': [STORE, 'are given once'],
  'shared/store/patient-ids.ts raiseNextId': [STORE, 'are given once'],
  'shared/store/fence.ts raiseInsideMark': [STORE, 'raises a mark whose answer was lost'],
  'shared/store/fence.ts noteRecorded': [STORE, 'raises a mark whose answer was lost'],
  'shared/store/restored-patients.ts repairPatient': [STORE, 'repairs a patient once'],
  'shared/store/applied-events.ts takeTurn': [STORE, 'has one turn'],
  'shared/store/leases.ts takeLease': [STORE, 'whose taking had no answer is held'],
  'shared/store/leases.ts renewLease': [STORE, 'whose renewal had no answer is renewed'],
  'shared/store/leases.ts releaseLease': [STORE, 'whose release had no answer is free'],
  'shared/store/search-index.ts replaced': [STORE, 'a search index whose writing had no answer'],
  'shared/store/unreadable-batches.ts createOnce': [STORE, 'is noted once'],
  'shared/store/unreadable-batches.ts decideToPass': [STORE, 'the decision to pass over it stands'],
  'shared/store/firestore.ts withoutLocks': 'each of its callers is in this list',
  'shared/store/patients.ts addPatientUpdate': 'is a part of the write of its caller',
  'functions/kafka-worker/effects/communication.ts record': [
    'functions/kafka-worker/effects/communication.test.ts',
    'counts as applied when the answer to its commit was lost',
  ],
  'functions/kafka-worker/effects/therapist.ts changeOne': [
    'functions/kafka-worker/effects/therapist.test.ts',
    'changes a patient once when the answer',
  ],
  'functions/ops/republish.ts restatePatient': [
    'functions/ops/ops.test.ts',
    'republishes a patient once when the answer to the commit was lost',
  ],
  'shared/store/group-commit.ts commit': 'each write of a group has its own row',
  'shared/store/imports.ts noteArchived': 'writes the same twice',
  'shared/store/firestore.ts deleteAll': 'what is deleted twice is deleted',
  'shared/store/idempotency-keys.ts discard': 'what is deleted twice is deleted',
  'shared/store/erasures.ts eraseImportRecord': 'what is deleted twice is deleted; the erasure looks again',
  'shared/store/idempotency-keys.ts buryIdempotencyKeys': 'writes the same twice',
  'shared/store/expiry.ts removePage': 'what is deleted twice is deleted; the next run counts on',
  'shared/store/in-flight.ts inFlightMarkers': 'a marker that is gone is lowered',
  'shared/store/person-keys.ts saltOf': 'reads the salt that stands',
  'shared/store/outbox-mails.ts update': 'a claim without an answer expires, and the mail is due again',
  'shared/store/mail-counts.ts addCount': 'is a part of the registration',
};

/** A transaction, a batch, one without locks, a part of a group commit, or a single write with a precondition. */
const WRITE =
  /(?<!function )\b(?:inTransaction|withoutLocks|commitTogether)[<(]|\.batch\(\)|(?:ref|[dD]oc|[dD]oc\(.*\))\.create\(|\blastUpdateTime(?::| \})/;

/** `file function` of every such write. */
async function writes(): Promise<string[]> {
  const found = new Set<string>();
  for await (const file of glob(['shared/**/*.ts', 'functions/**/*.ts'])) {
    if (file.endsWith('.test.ts')) continue;
    let inside = '';
    for (const line of (await readFile(file, 'utf8')).split('\n')) {
      inside = /^(?:export )?(?:async )?function\*? (\w+)/.exec(line)?.[1] ?? inside;
      if (WRITE.test(line)) found.add(`${file} ${inside}`);
    }
  }
  return [...found].sort();
}

describe('a write whose answer may be lost', () => {
  it('has a test, or a reason to need none', async () => {
    expect(await writes()).toEqual(Object.keys(covered).sort());
  });

  it.each(Object.entries(covered).filter(([, by]) => typeof by !== 'string'))(
    '%s: its test exists',
    async (_, [file, test]) => {
      expect(await readFile(file!, 'utf8')).toContain(test);
    },
  );
});
