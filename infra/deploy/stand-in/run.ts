/**
 * Stands in for Cloud Run's services as far as a deployment uses them: revisions, their names, traffic and tags.
 */
import type { Command } from './gcloud-arguments.ts';
import type { Answer } from './programs.ts';

interface Target {
  revision: string;
  percent: number;
  tag?: string;
}

export interface Service {
  readonly name: string;
  readonly labels: Record<string, string>;
  image: string;
  /** A setting that Terraform owns. Changing it creates a revision. */
  setting: string;
  /** The revision name that a client put into the template; undefined when Cloud Run chooses it. */
  templateName: string | undefined;
  revisions: string[];
  traffic: Target[];
  ready: boolean;
}

export class Services {
  readonly all = new Map<string, Service>();

  create(name: string, image: string, environment: string, ready = true): Service {
    const revision = `${name}-00001-api`;
    const service: Service = {
      name,
      labels: { environment },
      image,
      setting: 'first',
      templateName: undefined,
      revisions: [revision],
      traffic: ready ? [{ revision, percent: 100 }] : [],
      ready,
    };
    this.all.set(name, service);
    return service;
  }

  /** `gcloud run deploy`. With --tag the client names the revision, otherwise the API does. */
  deploy({ words, flags }: Command): Answer {
    const service = this.all.get(words[2] ?? '');
    if (service === undefined) return notFound(words[2]);
    const byClient = 'tag' in flags || 'revision-suffix' in flags;
    const revision = this.#revise(service, byClient ? 'gcl' : 'api');
    service.templateName = byClient ? revision : undefined;
    service.image = flags['image'] ?? service.image;
    service.ready = true;
    if (!('no-traffic' in flags)) service.traffic = [{ revision, percent: 100 }];
    if (flags['tag'] !== undefined) service.traffic.push({ revision, percent: 0, tag: flags['tag'] });
    return { stdout: flags['format'] === 'value(status.latestCreatedRevisionName)' ? `${revision}\n` : '' };
  }

  /** `gcloud run services update`. The new revision gets all traffic at once. */
  update({ words, flags }: Command): Answer {
    const service = this.all.get(words[3] ?? '');
    if (service === undefined) return notFound(words[3]);
    service.image = flags['image'] ?? service.image;
    service.templateName = undefined;
    service.traffic = [{ revision: this.#revise(service, 'api'), percent: 100 }];
    return {};
  }

  /** Terraform's update. With `sendsName`, the configuration ignores template[0].revision, so Terraform sends the old name. */
  change(name: string, setting: string, sendsName: boolean): Answer {
    const service = this.all.get(name);
    if (service === undefined) return notFound(name);
    if (service.setting === setting) return {};
    if (sendsName && service.templateName !== undefined) {
      return {
        code: 1,
        stderr: `Error: Error updating Service "${name}": googleapi: Error 409: Revision named '${service.templateName}' with different configuration already exists.\n`,
      };
    }
    service.setting = setting;
    this.#revise(service, 'api');
    return {};
  }

  updateTraffic({ words, flags }: Command): Answer {
    const service = this.all.get(words[3] ?? '');
    if (service === undefined) return notFound(words[3]);
    const [tag, tagged = ''] = flags['set-tags']?.split('=') ?? [];
    if (tag !== undefined) {
      if (!service.revisions.includes(tagged)) return notFound(tagged);
      for (const target of service.traffic) delete target.tag;
      service.traffic.push({ revision: tagged, percent: 0, tag });
    }
    if (flags['to-tags'] !== undefined) {
      const target = service.traffic.find((one) => one.tag === flags['to-tags']?.split('=')[0]);
      if (target === undefined) return notFound(flags['to-tags']);
      this.#serve(service, target.revision);
    }
    if (flags['to-revisions'] !== undefined) this.#serve(service, flags['to-revisions'].split('=')[0] ?? '');
    if ('remove-tags' in flags) for (const target of service.traffic) delete target.tag;
    return {};
  }

  describe({ words, flags }: Command): Answer {
    const service = this.all.get(words[3] ?? '');
    if (service === undefined) return notFound(words[3]);
    const format = flags['format'] ?? '';
    if (format.includes('traffic.percent')) return lines(service, (one) => `${one.revision},${one.percent}`);
    if (format.includes('traffic.tag'))
      return lines(service, ({ tag }) => (tag ? `${tag},https://${tag}---${service.name}.example` : ','));
    if (format.includes('status.url')) return { stdout: `https://${service.name}.example\n` };
    if (format.includes('labels.environment')) return { stdout: `${service.labels['environment']}\n` };
    if (format.includes('conditions')) return { stdout: service.ready ? 'True\n' : 'False\n' };
    throw new Error(`unexpected format ${format}`);
  }

  #revise(service: Service, by: string): string {
    const revision = `${service.name}-${String(service.revisions.length + 1).padStart(5, '0')}-${by}`;
    service.revisions.push(revision);
    return revision;
  }

  #serve(service: Service, revision: string): void {
    const tags = service.traffic.filter(({ tag }) => tag !== undefined);
    service.traffic = [
      ...tags.map((one) => ({ ...one, percent: one.revision === revision ? 100 : 0 })),
      ...(tags.some((one) => one.revision === revision) ? [] : [{ revision, percent: 100 }]),
    ];
  }
}

function lines({ traffic }: Service, line: (target: Target) => string): Answer {
  return { stdout: traffic.map((target) => `${line(target)}\n`).join('') };
}

function notFound(name = ''): Answer {
  return { code: 1, stderr: `ERROR: (gcloud.run) NOT_FOUND: ${name}\n` };
}
