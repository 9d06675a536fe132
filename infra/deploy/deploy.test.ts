import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// There is no Cloud Run here: gcloud and curl are replaced by scripts that note what they were asked and answer
// as the real ones do. What is tested is the order of the commands, and the way back.
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-service-deploy-'));
  await standIn('gcloud', GCLOUD);
  await standIn('curl', CURL);
});
afterEach(() => rm(folder, { recursive: true }));

const GCLOUD = `#!/usr/bin/env bash
echo "gcloud $*" >> "$LOG"
[[ -n \${BREAK:-} && "$*" == *"$BREAK"* ]] && exit 1
case "$*" in
  *"docker images describe"*) echo sha256:new ;;
  *traffic.percent*) echo "$4-old,100"; echo "," ;;
  *traffic.tag*) echo "candidate,https://candidate---$4.example" ;;
  *instanceSplits*) echo kafka-worker-old,100 ;;
  *"value(status.url)"*) echo "https://$4.example" ;;
  *print-access-token*) echo access ;;
esac
exit 0
`;

const CURL = `#!/usr/bin/env bash
url="\${!#}"; out=/dev/null
for ((i = 1; i <= $#; i++)); do [[ "\${!i}" == --output ]] && { j=$((i + 1)); out="\${!j}"; }; done
echo "curl $url" >> "$LOG"
case "$url" in
  *generateIdToken) echo '{ "token": "identity" }'; exit ;;
  */openapi.json) echo '{"openapi": "3.1.0"}' > "$out"; printf 200 ;;
  */api/patients) echo '{"title": "A valid bearer token is required"}' > "$out"; printf '%s' "\${API:-401}" ;;
  */health) echo '{"status":"healthy","checks":{"kafka":{"reasons":[],"reachable":'"\${REACHABLE:-true}"',"groups":[]},"firestore":{"reachable":true}}}' > "$out"; printf 200 ;;
  *) echo ok > "$out"; printf 200 ;;
esac
`;

async function standIn(name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), text);
  await chmod(join(folder, name), 0o755);
}

async function deploy(faults: Record<string, string> = {}): Promise<{ succeeded: boolean; log: string[] }> {
  const log = join(folder, 'log');
  const env = {
    PATH: `${folder}:${process.env['PATH']}`,
    LOG: log,
    PROJECT_ID: 'project',
    REGION: 'europe-west3',
    TAG: 'build',
    BUILD_ACCOUNT: 'build@project',
    WORKER_PAUSE: '0',
    WORKER_TRIES: '2',
    ...faults,
  };
  const succeeded = await promisify(execFile)(new URL('deploy.sh', import.meta.url).pathname, { env }).then(
    () => true,
    () => false,
  );
  return { succeeded, log: (await readFile(log, 'utf8')).trim().split('\n') };
}

const first = (log: string[], text: string) => log.findIndex((line) => line.includes(text));
const toCandidate = '--to-tags=candidate=100';

describe('deploy.sh', () => {
  it('asks every new revision before any traffic moves, and deploys by digest', async () => {
    const { succeeded, log } = await deploy();
    expect(succeeded).toBe(true);
    const deployments = log.filter((line) => line.includes('run deploy'));
    expect(deployments).toHaveLength(3);
    for (const line of deployments) expect(line).toMatch(/@sha256:new --no-traffic --tag=candidate/);
    const smokeTests = ['/livez', '/openapi.json', '/api/patients', '/health'].map((path) =>
      log.findLastIndex((line) => line.startsWith('curl https://candidate---') && line.endsWith(path)),
    );
    expect(Math.min(...smokeTests)).toBeGreaterThan(log.lastIndexOf(deployments[2]!));
    expect(Math.max(...smokeTests)).toBeLessThan(first(log, toCandidate));
    expect(log.filter((line) => line.includes(toCandidate))).toHaveLength(3);
    expect(first(log, 'services update ops-read')).toBeGreaterThan(first(log, '--to-latest'));
    expect(log.some((line) => line.includes('-old=100'))).toBe(false);
  });

  it('moves no traffic when an open API would go live', async () => {
    const { succeeded, log } = await deploy({ API: '200' });
    expect(succeeded).toBe(false);
    expect(first(log, toCandidate)).toBe(-1);
    expect(first(log, 'worker-pools')).toBe(-1);
    expect(log.filter((line) => line.includes('--remove-tags=candidate'))).toHaveLength(3);
  });

  it('moves no traffic when a revision does not start', async () => {
    const { succeeded, log } = await deploy({ BREAK: 'run deploy patients-api' });
    expect(succeeded).toBe(false);
    expect(first(log, toCandidate)).toBe(-1);
  });

  it('gives every service and the worker back to the old revision when the new worker does not reach Kafka', async () => {
    const { succeeded, log } = await deploy({ REACHABLE: 'false' });
    expect(succeeded).toBe(false);
    for (const service of ['import-registration', 'check-health', 'patients-api']) {
      expect(first(log, `update-traffic ${service} --to-revisions=${service}-old=100`)).toBeGreaterThan(-1);
    }
    expect(
      first(log, 'update-instance-split kafka-worker --to-revisions=kafka-worker-old=100'),
    ).toBeGreaterThan(-1);
    expect(first(log, 'services update ops-read')).toBe(-1);
  });

  it('gives back only what it had moved', async () => {
    const { succeeded, log } = await deploy({ BREAK: 'update-traffic check-health --to-tags' });
    expect(succeeded).toBe(false);
    expect(first(log, '--to-revisions=import-registration-old=100')).toBeGreaterThan(-1);
    expect(first(log, '--to-revisions=patients-api-old=100')).toBe(-1);
  });
});
