/** Stands in for Cloud Storage: objects with generations, and the preconditions of writes. */
import type { Answer } from './programs.ts';

export interface Bucket {
  versioning: boolean;
  readonly publicAccessPrevention: boolean;
  readonly location: string;
}

interface StoredObject {
  readonly text: string;
  readonly generation: number;
}

const missing = (url: string): Answer => ({
  code: 1,
  stderr: `ERROR: (gcloud.storage) The following URLs matched no objects or files:\n-${url}\n`,
});
const refused: Answer = {
  code: 1,
  stderr: 'ERROR: HTTPError 412: At least one of the pre-conditions you specified did not hold.\n',
};

export class ObjectStore {
  readonly buckets = new Map<string, Bucket>();
  readonly objects = new Map<string, StoredObject>();
  #generation = 1000;

  put(url: string, text: string, ifGeneration?: string): Answer {
    const bucket = url.split('/')[2] ?? '';
    if (!this.buckets.has(bucket)) return missing(`gs://${bucket}`);
    if (ifGeneration !== undefined && String(this.objects.get(url)?.generation ?? 0) !== ifGeneration)
      return refused;
    this.objects.set(url, { text, generation: ++this.#generation });
    return {};
  }

  read(url: string): Answer {
    const [name = '', generation] = url.split('#');
    const found = this.objects.get(name);
    if (found === undefined || (generation !== undefined && generation !== String(found.generation)))
      return missing(url);
    return { stdout: found.text };
  }

  describe(url: string): Answer {
    const found = this.objects.get(url);
    return found === undefined ? missing(url) : { stdout: `${found.generation}\n` };
  }

  remove(url: string, ifGeneration?: string): Answer {
    const found = this.objects.get(url);
    if (found === undefined) return missing(url);
    if (ifGeneration !== undefined && ifGeneration !== String(found.generation)) return refused;
    this.objects.delete(url);
    return {};
  }
}
