/**
 * Loaded into a worker by `node --import`. The process dies, as in a crash of the runtime, when it parses DEADLY_TEXT, and
 * writes the text to its log before.
 */
import { writeSync } from 'node:fs';

const deadly = process.env['DEADLY_TEXT'];
const { parse } = JSON;
JSON.parse = (text: string, ...rest: []) => {
  if (deadly !== undefined && text.includes(deadly)) {
    writeSync(2, `${deadly}\n`);
    process.kill(process.pid, 'SIGKILL');
  }
  return parse(text, ...rest) as unknown;
};
