/** check-health for one test: its handler under functions-framework, with its own project and bucket. */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { http } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { onTestFinished } from 'vitest';
import { gatherFacts, WARM_UP_MS } from '../../functions/check-health/facts.ts';
import { createHandler } from '../../functions/check-health/handler.ts';
import type { HealthDependencies, RunReport } from '../../functions/check-health/run.ts';
import type { Report } from '../../functions/check-health/verdict.ts';
import { utcTimestamp, type Clock } from '../../shared/platform/clock.ts';
import { writeWorkerStatus } from '../../shared/store/worker-status.ts';
import { importWorld } from './import-world.ts';

interface Asked<Body> {
  readonly status: number;
  readonly text: string;
  readonly body: Body;
}

/** A busy machine may take longer for an answer than production allows. */
const PATIENCE_MS = 60_000;

/** @param answerWithinMs the time limit of each query of a report */
export async function healthWorld(overrides: Partial<HealthDependencies> = {}, answerWithinMs = PATIENCE_MS) {
  const world = await importWorld();
  let aheadSeconds = 0;
  const clock: Clock = () => world.deps.clock().add({ seconds: aheadSeconds });
  const deps: HealthDependencies = {
    ...world.deps,
    clock,
    dropFolder: undefined,
    retention: { unpaid: undefined, closed: undefined },
    limits: {
      IMPORT_STUCK_AFTER_SECONDS: 900,
      IMPORT_STORAGE_QUOTA_BYTES: 1_000_000,
      PATIENT_IMPORT_CHECK_INTERVAL_SECONDS: 60,
    },
    ...overrides,
  };
  await gatherFacts(deps, WARM_UP_MS);
  const name = `health-${randomUUID()}`;
  http(name, createHandler(deps, answerWithinMs));
  const server = getTestServer(name);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;

  async function request(method: string, path: string) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text };
  }

  async function ask<Body>(method: string, path: string): Promise<Asked<Body>> {
    const { status, text } = await request(method, path);
    return { status, text, body: JSON.parse(text) as Body };
  }

  return {
    ...world,
    deps,
    request,
    health: (path = '/health') => ask<Report>('GET', path),
    run: () => ask<RunReport>('POST', '/run'),
    /** Moves the clock of check-health forward. Stored times stay the same. */
    pass: (seconds: number) => void (aheadSeconds += seconds),
    /** Writes the status of a healthy worker. */
    reportWorker: () =>
      writeWorkerStatus(deps.db, {
        written_at: utcTimestamp(clock()),
        kafka_reachable: true,
        groups: [],
        dead_letters: 0,
        last_relay_at: null,
        unreadable: [],
      }),
    /** The samples of a metric, in the order of logging. */
    samples: (metric: string): number[] =>
      world.logged
        .map((line) => (JSON.parse(line) as { metrics?: Record<string, number> }).metrics?.[metric])
        .filter((value) => value !== undefined),
  };
}
