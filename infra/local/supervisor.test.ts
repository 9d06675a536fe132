import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { ownerOf } from './ports.ts';
import { launch } from './process.ts';
import { supervise } from './supervisor.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'supervisor-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** A part that sleeps, and records each change that its supervisor reports. */
async function sleeper() {
  const changes: string[] = [];
  const start = async () => launch({ command: 'sleep', args: ['60'], logFile: join(dir, 'sleep.log') });
  const part = supervise({ name: 'sleeper', start }, (change) => changes.push(change));
  await part.start();
  onTestFinished(() => part.stop());
  return { part, changes };
}

it('starts a part again after a kill -9', async () => {
  const { part, changes } = await sleeper();
  const before = Number(part.pid);
  await part.kill();
  await eventually(() => expect(changes).toEqual(['died', 'restarted']));
  expect(part.pid).not.toBe(before);
  expect(isAlive(before)).toBe(false);
});

it('does not restart a part that was stopped', async () => {
  const { part, changes } = await sleeper();
  await part.stop();
  await delay(500);
  expect(part.pid).toBeUndefined();
  expect(changes).toEqual([]);
});

it('starts a part only after its stopping process has ended', async () => {
  let alive = 0;
  let most = 0;
  const start = async () => {
    alive += 1;
    most = Math.max(most, alive);
    const { promise: exited, resolve } = Promise.withResolvers<void>();
    const stop = async () => {
      await delay(200);
      alive -= 1;
      resolve();
    };
    return { pid: alive, exited, stop, kill: stop };
  };
  const part = supervise({ name: 'slow', start });
  await part.start();
  const stopping = part.stop();
  expect(part.state).toBe('down');
  await part.start();
  expect(most).toBe(1);
  expect(part.state).toBe('up');
  await stopping;
  const [last] = [part.stop(), part.start(), part.stop()];
  await last;
  await delay(50);
  expect([alive, part.state]).toEqual([0, 'stopped']);
});

it('runs one process when a part is stopped and started while its restart is waiting', async () => {
  const alive = new Set<number>();
  let starts = 0;
  const start = async () => {
    const number = (starts += 1);
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = async () => {
      alive.delete(number);
      resolve();
    };
    alive.add(number);
    return { pid: number, exited: promise, stop: end, kill: end };
  };
  const part = supervise({ name: 'mortal', start });
  await part.start();
  await part.kill();
  await part.stop();
  await part.start();
  await delay(500);
  expect([...alive]).toEqual([part.pid]);
  await part.stop();
  expect(alive.size).toBe(0);
});

it('is ready when a start resolves that coincides with a restart', async () => {
  const { part } = await sleeper();
  await part.kill();
  await part.start();
  expect(isAlive(Number(part.pid))).toBe(true);
});

it('ends the children of a part with it', async () => {
  const script = join(dir, 'parent.sh');
  await writeFile(script, `sleep 60 & echo $! > ${dir}/child; wait`);
  const running = launch({ command: 'sh', args: [script], logFile: join(dir, 'parent.log') });
  const child = await eventually(async () => {
    const pid = Number(await readFile(join(dir, 'child'), 'utf8'));
    expect(pid).toBeGreaterThan(0);
    return pid;
  });
  await running.stop();
  await eventually(() => expect(isAlive(child)).toBe(false));
});

it('leaves no process behind when the supervising process is killed', async () => {
  const script = join(dir, 'owner.ts');
  await writeFile(
    script,
    `import { launch } from '${join(import.meta.dirname, 'process.ts')}';
     console.log(launch({ command: 'sleep', args: ['60'], logFile: '${join(dir, 'owned.log')}' }).pid);`,
  );
  const owner = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = Number(String((await once(owner.stdout, 'data'))[0]));
  expect(isAlive(pid)).toBe(true);
  owner.kill('SIGKILL');
  await eventually(() => expect(isAlive(pid)).toBe(false));
});

it('names the owner of a busy port', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await ownerOf(port)).toContain(`process ${process.pid} (`);
  server.close();
  await once(server, 'close');
  expect(await ownerOf(port)).toBeUndefined();
});
