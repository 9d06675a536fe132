/**
 * Counts the requests that kafkajs sends in this process, by name. When loaded with `--import` into a worker, it writes them
 * to the file KAFKA_METER_FILE twice a second.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

interface Request {
  readonly request: { readonly apiName: string };
}

const Connection = createRequire(import.meta.url)('kafkajs/src/network/connection.js') as {
  prototype: { send: (this: unknown, sent: Request) => unknown };
};

export const kafkaRequests: Record<string, number> = {};
const { send } = Connection.prototype;
Connection.prototype.send = function counted(sent) {
  const { apiName } = sent.request;
  kafkaRequests[apiName] = (kafkaRequests[apiName] ?? 0) + 1;
  return send.call(this, sent);
};

const file = process.env['KAFKA_METER_FILE'];
if (file !== undefined) setInterval(() => writeFileSync(file, JSON.stringify(kafkaRequests)), 500).unref();
