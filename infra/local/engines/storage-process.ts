/**
 * The process of the Storage emulator (see storage.ts): firebase-tools' emulator class with its rules engine
 * switched off and its changes noted on disk, so that objects and finalize events survive a kill -9.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { appendLine, parseLine } from '../lines.ts';
import { HOST } from '../ports.ts';
import { finalizedJournal } from './storage.ts';

/** The private parts of firebase-tools 15 that are used here; the version is pinned because of them. */
interface Emulator {
  _rulesRuntime: object;
  _rulesManager: object;
  _files: Map<string, { metadata: object }>;
  _persistence: { reset(folder: string): void; _diskPathMap: Map<string, string> };
  _cloudFunctions: { dispatch(action: string, object: ObjectResource): Promise<void> };
  _adminStorageLayer: { path(bucket: string, object: string): string };
}

interface StoredFileMetadata {
  fromJSON(json: string, cloudFunctions: object): object;
  toJSON(metadata: object): string;
}

/** The object as the JSON API shows it: https://cloud.google.com/storage/docs/json_api/v1/objects#resource */
interface ObjectResource {
  readonly bucket: string;
  readonly name: string;
}

/** One line of the index: the object that a path holds from now on, or that it was deleted. */
interface IndexLine {
  readonly path: string;
  readonly blob?: string;
  readonly metadata?: string;
}

const load = createRequire(import.meta.url);
const { StorageEmulator } = load('firebase-tools/lib/emulator/storage') as {
  StorageEmulator: new (options: object) => Emulator;
};
const { StoredFile } = load('firebase-tools/lib/emulator/storage/files') as {
  StoredFile: new (metadata: object) => { metadata: object };
};
const { StoredFileMetadata } = load('firebase-tools/lib/emulator/storage/metadata') as {
  StoredFileMetadata: StoredFileMetadata;
};
const { EmulatorRegistry } = load('firebase-tools/lib/emulator/registry') as {
  EmulatorRegistry: { start(emulator: Emulator): Promise<void> };
};

const port = Number(process.argv[2]);
const dataDir = String(process.argv[3]);
const indexFile = join(dataDir, 'objects.jsonl');
const blobs = join(dataDir, 'blobs');
mkdirSync(dataDir, { recursive: true });

const emulator = new StorageEmulator({ projectId: 'demo-local', host: HOST, port, rules: [] });
const nothing = async () => undefined;
emulator._rulesRuntime = { start: nothing, stop: nothing };
emulator._rulesManager = { start: nothing, stop: nothing };
emulator._persistence.reset(blobs);
// The emulator's own path.join would make `a//x` and `a/x` one object, and let `../` leave the bucket.
emulator._adminStorageLayer.path = pathOf;
// The emulator calls this before it answers a change, so an acknowledged change is on disk.
emulator._cloudFunctions.dispatch = async (action, object) => {
  noteChange(pathOf(object.bucket, object.name));
  if (action === 'finalize') appendLine(finalizedJournal(dataDir), { id: randomUUID(), object });
};
restore();
process.once('SIGTERM', () => process.exit(0));
await EmulatorRegistry.start(emulator);

function pathOf(bucket: string, object: string): string {
  return `${bucket}/${object}`;
}

function noteChange(path: string): void {
  const metadata = emulator._files.get(path)?.metadata;
  const blob = emulator._persistence._diskPathMap.get(path);
  const stored = metadata !== undefined && blob !== undefined;
  const line: IndexLine = stored ? { path, blob, metadata: StoredFileMetadata.toJSON(metadata) } : { path };
  appendLine(indexFile, line);
}

function restore(): void {
  const lines = existsSync(indexFile) ? readFileSync(indexFile, 'utf8').split('\n') : [];
  for (const text of lines) {
    // A line torn by a kill is a change that was never acknowledged.
    const line = parseLine(text) as IndexLine | undefined;
    if (line === undefined) continue;
    const { path, blob, metadata } = line;
    emulator._files.delete(path);
    if (blob === undefined || metadata === undefined || !existsSync(join(blobs, blob))) continue;
    const restored = StoredFileMetadata.fromJSON(metadata, emulator._cloudFunctions);
    emulator._files.set(path, new StoredFile(restored));
    emulator._persistence._diskPathMap.set(path, blob);
  }
}
