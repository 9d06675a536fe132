/**
 * Stands in for Cloud Scheduler (in its own process): calls check-health's scheduled run every minute, or more
 * often where `incoming/` is to be swept more often. It ignores the result of a run.
 */
import { setTimeout as delay } from 'node:timers/promises';

const [target = ''] = process.argv.slice(2);
const everyMs = Math.min(60, Number(process.env['PATIENT_IMPORT_CHECK_INTERVAL_SECONDS'] ?? 60)) * 1000;
const stopped = new AbortController();
process.once('SIGTERM', () => stopped.abort());

/** @returns false when there was no answer: check-health is starting or restarting */
async function callRun(): Promise<boolean> {
  try {
    const answer = await fetch(target, { method: 'POST', signal: stopped.signal });
    await answer.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

while (!stopped.signal.aborted) {
  const wait = (await callRun()) ? everyMs : 1000;
  await delay(wait, undefined, { signal: stopped.signal }).catch(() => undefined);
}
