import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../process.ts';
import { findDocker, findFirestoreJar, findJava, findKafkaJars } from './machine.ts';
import { describeMissing, missingTools, type Platform, type Tools } from './missing.ts';

const lacks = (reason: string) => ({ reason });
const nothing: Tools = {
  java: lacks('Java is not installed'),
  firestoreJar: lacks('the Google Cloud CLI is not installed'),
  kafkaJars: lacks('Maven is not installed'),
  docker: lacks('Docker is not installed'),
};
const both = { firestore: true, kafka: true };
const say = (tools: Partial<Tools>, platform: Platform = 'debian', wanted = both) =>
  describeMissing({ ...nothing, ...tools }, wanted, platform, ['image:1', 'image:2']);

describe('the message on a machine without tools', () => {
  it('names every missing tool with its reason, one command for all, and Docker as an alternative', () => {
    expect(say({}).split('\n')).toEqual([
      'This machine cannot start the Firestore emulator and Kafka. What is missing:',
      '  - Java is not installed (for both)',
      '  - the Google Cloud CLI is not installed (for the Firestore emulator)',
      '  - Maven is not installed (for Kafka)',
      '  - Docker is not installed (for both, in place of all of these)',
      'Do one of these:',
      "  - install everything:  sudo apt-get update && sudo apt-get satisfy -y 'openjdk-21-jre-headless | openjdk-17-jre-headless, maven' && npx firebase setup:emulators:firestore",
      '  - use Docker alone:    sudo apt-get install -y docker.io (it runs image:1 and image:2)',
      '  - name engines that run elsewhere: FIRESTORE_EMULATOR_HOST, KAFKA_BOOTSTRAP_SERVERS',
    ]);
  });

  it('gives the commands of the platform', () => {
    expect(say({}, 'macos')).toMatch(/brew install openjdk@21 maven && sudo ln -sfn .* && npx firebase/);
    expect(say({}, 'macos')).toContain('brew install --cask docker');
    expect(say({}, 'windows')).toMatch(/wsl --install -d Ubuntu, and in its shell: sudo apt-get update/);
    expect(say({}, 'linux')).toContain('Java 17 or newer and Maven) && npx firebase');
  });

  it('asks only for the missing tools', () => {
    const onlyMaven = say({ java: 'ok', firestoreJar: 'ok' });
    expect(onlyMaven).toContain(
      "install everything:  sudo apt-get update && sudo apt-get satisfy -y 'maven'\n",
    );
    expect(onlyMaven).not.toMatch(/Java|Google Cloud/);
    const onlyFirestore = say({}, 'debian', { firestore: true, kafka: false });
    expect(onlyFirestore).not.toMatch(/Maven|maven|KAFKA/);
  });

  it('says how to start an installed Docker', () => {
    const docker = (reason: string, platform: Platform = 'debian') =>
      say({ docker: lacks(reason) }, platform);
    expect(docker('Docker is installed, but its daemon is not running')).toContain(
      'sudo systemctl start docker',
    );
    expect(docker('Docker is installed, but its daemon is not running', 'macos')).toContain('open -a Docker');
    expect(docker('Docker is installed, but this user may not use it')).toContain('usermod -aG docker');
  });

  it('gives the reason of a failed download', () => {
    const trouble = { engine: 'the image of Kafka could not be fetched', error: new Error('no route\nat x') };
    const said = describeMissing({ ...nothing, docker: 'ok' }, both, 'debian', ['a', 'b'], trouble);
    expect(said).toContain('  - the image of Kafka could not be fetched: no route\n');
  });
});

describe('a look at the machine', () => {
  let folder: string;
  /** A PATH with these programs and nothing else. */
  async function having(programs: Record<string, string>): Promise<void> {
    for (const [name, script] of Object.entries(programs)) {
      await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
      await chmod(join(folder, name), 0o755);
    }
  }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'machine-'));
    vi.stubEnv('PATH', folder);
    vi.stubEnv('FIREBASE_EMULATORS_PATH', join(folder, 'none'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });
  const javaSaying = (text: string) => ({ java: `echo '${text}' >&2` });

  it('distinguishes a missing, a broken, an old and a good Java', async () => {
    expect(await findJava()).toMatchObject({ reason: 'Java is not installed' });
    await having({ java: 'echo "Unable to locate a Java Runtime." >&2; exit 1' });
    expect(await findJava()).toMatchObject({ reason: expect.stringContaining('does not run') });
    await having(javaSaying('openjdk version "1.8.0_412"'));
    expect(await findJava()).toMatchObject({ reason: expect.stringContaining('Java 8 is too old') });
    await having(javaSaying('openjdk version "11.0.23" 2024-04-16'));
    expect(await findJava()).toMatchObject({ reason: expect.stringContaining('Java 11 is too old') });
    for (const version of ['17.0.15', '21', '25-ea']) {
      await having(javaSaying(`openjdk version "${version}" 2025-04-15`));
      expect(await findJava()).toBe('ok');
    }
  });

  it('distinguishes a Docker that is missing, stopped, forbidden and running', async () => {
    expect(await findDocker()).toMatchObject({ reason: 'Docker is not installed' });
    await having({ docker: 'echo "Cannot connect to the Docker daemon. Is it running?" >&2; exit 1' });
    expect(await findDocker()).toMatchObject({ reason: expect.stringContaining('daemon is not running') });
    await having({ docker: 'echo "permission denied while trying to connect" >&2; exit 1' });
    expect(await findDocker()).toMatchObject({ reason: expect.stringContaining('may not use it') });
    await having({ docker: 'echo 28.0.1' });
    expect(await findDocker()).toBe('ok');
  });

  it('distinguishes a gcloud without the emulator from no gcloud, and knows both places of the jar', async () => {
    expect(await findFirestoreJar()).toMatchObject({ reason: expect.stringContaining('is not installed') });
    await run('/bin/mkdir', ['-p', join(folder, 'sdk/bin')]);
    await writeFile(join(folder, 'sdk/bin/gcloud'), '');
    await symlink(join(folder, 'sdk/bin/gcloud'), join(folder, 'gcloud'));
    expect(await findFirestoreJar()).toMatchObject({
      reason: expect.stringContaining('without its component cloud-firestore-emulator'),
    });
    const jar = join(folder, 'sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar');
    await run('/bin/mkdir', ['-p', join(jar, '..')]);
    await writeFile(jar, '');
    expect(await findFirestoreJar()).toBe('ok');
    await rm(jar);
    await run('/bin/mkdir', [join(folder, 'none')]);
    await writeFile(join(folder, 'none/cloud-firestore-emulator-v1.19.8.jar'), '');
    expect(await findFirestoreJar()).toBe('ok');
  });

  it('lists everything in one message', async () => {
    vi.stubEnv('FIRESTORE_EMULATOR_HOST', undefined);
    vi.stubEnv('KAFKA_BOOTSTRAP_SERVERS', undefined);
    await having({ ...javaSaying('openjdk version "11.0.23"'), docker: 'echo "Cannot connect" >&2; exit 1' });
    const { message } = await missingTools();
    expect(message).toContain('Java 11 is too old');
    expect(message).toContain('its daemon is not running');
    expect(message).toContain('and firebase-tools has not downloaded the emulator');
    // This checkout may have downloaded Kafka's jars before.
    if ((await findKafkaJars()) !== 'ok') expect(message).toContain('Maven is not installed');
  });
});
