/**
 * Stands in for Google Cloud behind `gcloud`, with what is known of how the real one behaves. A command that is not
 * here is refused, as is a flag that no test of ours foresees: the scripts may use only what was thought about.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { command, type Command } from './gcloud-arguments.ts';
import type { Answer } from './programs.ts';
import { Services } from './run.ts';
import { ObjectStore } from './storage.ts';

interface Build {
  status: string;
  readonly createTime: string;
  /** Account that approved it; only builds of a trigger with an approval have one. */
  readonly approver?: string;
  readonly substitutions?: string;
}

/** name → digest, below `PROJECT/NAME:TAG` and `PROJECT/NAME@DIGEST`. */
type Registry = Map<string, string>;

const refusal = (text: string, code = 1): Answer => ({ code, stderr: `ERROR: (gcloud) ${text}\n` });

export class Cloud {
  readonly services = new Services();
  readonly storage = new ObjectStore();
  readonly builds = new Map<string, Build>();
  readonly images: Registry = new Map();
  /** Image addresses with a digest that Cloud Build vouches for. */
  readonly provenance = new Set<string>();
  readonly enabled = new Set<string>();
  readonly agents = new Set<string>();
  readonly bindings = new Set<string>();
  readonly secrets = new Map<string, string[]>();
  readonly worker = { image: '', live: '' as string, latest: '' };
  subscription: { retention: string; deadLetters: boolean } | undefined;
  healthReachable = true;
  /** Where the commands run: relative paths of files start here. */
  folder = '/';

  readonly commands: Record<string, (command: Command, stdin: string) => Answer> = {
    'auth print-access-token': () => ({ stdout: 'access\n' }),
    'auth print-identity-token': () => ({ stdout: 'identity\n' }),
    'run deploy': (one) => this.services.deploy(one),
    'run services update-traffic': (one) => this.services.updateTraffic(one),
    'run services describe': (one) => this.services.describe(one),
    'run services update': (one) => this.services.update(one),
    'beta run worker-pools update': ({ flags }) => {
      this.worker.image = flags['image'] ?? '';
      this.worker.latest = 'kafka-worker-new';
      return {};
    },
    'beta run worker-pools update-instance-split': ({ flags }) => {
      this.worker.live = flags['to-revisions']?.split('=')[0] ?? this.worker.latest;
      return {};
    },
    'beta run worker-pools describe': () => ({
      stdout: this.worker.live === '' ? '' : `${this.worker.live},100\n`,
    }),
    'builds describe': ({ words, flags }) => {
      const build = this.builds.get(words[2] ?? '');
      if (build === undefined) return refusal(`NOT_FOUND: build ${words[2]}`);
      if (flags['format'] === 'value(status)') return { stdout: `${build.status}\n` };
      if (flags['format'] === 'value(createTime)') return { stdout: `${build.createTime}\n` };
      return { stdout: build.approver === undefined ? '\n' : `APPROVED\t${build.approver}\n` };
    },
    'storage cp': ({ words, flags }, stdin) => this.#copy(words, flags['if-generation-match'], stdin),
    'storage cat': ({ words }) => this.storage.read(words[2] ?? ''),
    'storage rm': ({ words, flags }) => this.storage.remove(words[2] ?? '', flags['if-generation-match']),
    'storage objects describe': ({ words }) => this.storage.describe(words[3] ?? ''),
    'artifacts docker images describe': ({ words, flags }) => this.#image(words[4] ?? '', flags),
  };

  handle(args: readonly string[], stdin: string): Answer {
    const parsed = command(args);
    const [, run] =
      Object.entries(this.commands)
        .filter(([name]) => `${parsed.words.join(' ')} `.startsWith(`${name} `))
        .sort(([a], [b]) => b.length - a.length)[0] ?? [];
    return run?.(parsed, stdin) ?? refusal(`Invalid choice: '${parsed.words.join(' ')}'`, 2);
  }

  #copy(words: readonly string[], ifGeneration: string | undefined, stdin: string): Answer {
    const [, , from = '', to = ''] = words;
    const text = from === '-' ? stdin : readFileSync(resolve(this.folder, from), 'utf8');
    return this.storage.put(to, text, ifGeneration);
  }

  #image(address: string, flags: Command['flags']): Answer {
    if ('show-provenance' in flags) {
      return { stdout: this.provenance.has(address) ? 'projects/p/occurrences/1\n' : '\n' };
    }
    const digest = this.images.get(address);
    return digest === undefined ? refusal(`NOT_FOUND: ${address}`) : { stdout: `${digest}\n` };
  }
}
