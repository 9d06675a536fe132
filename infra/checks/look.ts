/** Helpers with which the rules inspect a configuration. */
import { addressOf, stringsIn, type Body, type Configuration, type Resource, type Value } from './hcl.ts';

export const isRef = (value: unknown, text: string) => value === `\${${text}}`;

export function ofType({ resources }: Configuration, ...types: string[]): Resource[] {
  return resources.filter(({ kind, type }) => kind === 'resource' && types.includes(type));
}

export function blocks(body: Body, name: string): Body[] {
  return (body[name] as Body[] | undefined) ?? [];
}

/** The descriptions of the demands that are not met. */
export function unmet(resource: Resource, demands: [boolean, string][]): string[] {
  return demands.filter(([met]) => !met).map(([, demand]) => `${addressOf(resource)}: ${demand}`);
}

/** Every text inside a value; references are written `${…}`. */
export const references = (value: Value | undefined): string[] =>
  [...stringsIn(value)].map(([, text]) => text);
