/** Loaded into a worker by `node --import`: the process dies, as by a crash of the runtime, when it parses DEADLY_TEXT. */
const deadly = process.env['DEADLY_TEXT'];
const { parse } = JSON;
JSON.parse = (text: string, ...rest: []) => {
  if (deadly !== undefined && text.includes(deadly)) process.kill(process.pid, 'SIGKILL');
  return parse(text, ...rest) as unknown;
};
