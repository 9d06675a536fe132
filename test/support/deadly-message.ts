/** Loaded into a worker by `node --import`. The process dies, as in a crash of the runtime, when it parses DEADLY_TEXT. */
const deadly = process.env['DEADLY_TEXT'];
const { parse } = JSON;
JSON.parse = (text: string, ...rest: []) => {
  if (deadly !== undefined && text.includes(deadly)) process.kill(process.pid, 'SIGKILL');
  return parse(text, ...rest) as unknown;
};
