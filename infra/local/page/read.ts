/** Serves the repository's pages for links of the page: Markdown as HTML, code as text. */
import { readFile } from 'node:fs/promises';
import { posix, resolve } from 'node:path';
import { html, raw } from 'hono/html';
import { Marked } from 'marked';

const root = resolve(import.meta.dirname, '../../..');

/** The paths that may be read: none that holds data or tokens of a stack. */
const READABLE =
  /^(?:[A-Z]+\.md|(?:docs|functions|shared|infra|test)\/[\w./-]+\.(?:md|json|ts|tf|tfvars|ya?ml|sh))$/;

const marked = new Marked({
  renderer: {
    /** Adds the anchors that GitHub gives to headings. */
    heading({ tokens, depth, text }) {
      const id = text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-');
      return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
    },
  },
});

/** @param path below the repository's root @returns undefined when there is no such page */
export async function readPage(path: string): Promise<{ type: string; body: string } | undefined> {
  const normal = posix.normalize(path);
  if (!READABLE.test(normal)) return undefined;
  const text = await readFile(resolve(root, normal), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  if (!normal.endsWith('.md')) return { type: 'text/plain; charset=utf-8', body: text };
  const title = /^# (.+)$/m.exec(text)?.[1] ?? normal;
  const body = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/assets/page.css" />
      </head>
      <body class="reading">
        <nav aria-label="Pages">
          <a href="/">Local stack</a> · <a href="/docs">API</a> · <a href="/events">Events</a> ·
          <code>${normal}</code>
        </nav>
        <main>${raw(await marked.parse(text))}</main>
      </body>
    </html>`;
  return { type: 'text/html; charset=utf-8', body: String(body) };
}
