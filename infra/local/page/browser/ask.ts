/** Requests of the page to its own server, and through it to the API. */

export type Role = 'reader' | 'staff' | 'admin';

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly role: Role;
  readonly body?: object;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

let tokens: Promise<Record<Role, string>> | undefined;

async function tokenOf(role: Role): Promise<string> {
  tokens ??= get<Record<Role, string>>('/local/tokens');
  return (await tokens)[role];
}

/** @param background true for requests that the visitor did not cause; the flow does not show them */
export async function callApi({ method, path, role, body }: ApiCall, background = false): Promise<ApiAnswer> {
  const answer = await fetch(path, {
    method,
    headers: {
      authorization: `Bearer ${await tokenOf(role)}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(background ? { 'x-background': '1' } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
}

/** The same call as a curl line for a terminal in the repository's folder. */
export function curlOf({ method, path, role, body }: ApiCall): string {
  const quoted = body === undefined ? '' : JSON.stringify(body).replaceAll("'", String.raw`'\''`);
  return [
    'curl -sS',
    method === 'GET' || (method === 'POST' && body !== undefined) ? '' : `-X ${method}`,
    `-H "Authorization: Bearer $(jq -r .tokens.${role} .local/stack.json)"`,
    body === undefined ? '' : `-H 'Content-Type: application/json' -d '${quoted}'`,
    `"$(jq -r .api .local/stack.json)${path}"`,
  ]
    .filter(Boolean)
    .join(' ');
}

export async function get<T>(path: string): Promise<T> {
  return read<T>(await fetch(path));
}

export async function post<T>(path: string, body: object | Blob = {}): Promise<T> {
  const isFile = body instanceof Blob;
  const headers = isFile ? {} : { 'content-type': 'application/json' };
  return read<T>(await fetch(path, { method: 'POST', headers, body: isFile ? body : JSON.stringify(body) }));
}

async function read<T>(answer: Response): Promise<T> {
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text) as T;
  let message = text;
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    // A plain text body is the message itself.
  }
  throw new Error(message.trim() || `status ${answer.status}`);
}
