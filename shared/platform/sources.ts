/**
 * Where in the sources a place in a bundle comes from, by the source map beside the bundle. It is read when the first error is reported:
 * `--enable-source-maps` would parse it at each start, which costs as much time as everything else.
 */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

const PLACE = /(file:\/\/[^\s()]+\.js):(\d+):(\d+)/;
const maps = new Map<string, SourceMap | undefined>();

/** Names the source in a line of a stack trace. What no map knows stays: libraries, and code that is not bundled. */
export function inSources(frame: string): string {
  return frame.replace(PLACE, (place, url: string, line: string, column: string) => {
    const entry = mapOf(url)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return place;
    // Node's types leave it out: a bundler's own code has an entry without a source.
    const original: string | undefined = entry.originalSource;
    if (original === undefined || original.includes('node_modules/')) return place;
    const source = original.replace(/^(\.\.\/)+/, '');
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function mapOf(url: string): SourceMap | undefined {
  if (!maps.has(url)) maps.set(url, readMap(url));
  return maps.get(url);
}

function readMap(url: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')));
  } catch {
    // There is none, or it cannot be read: the place in the bundle is better than no report.
    return undefined;
  }
}
