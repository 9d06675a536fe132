/** Retries requests to brokers whose metadata is not up to date yet. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Repeats a request, up to 6 times, after retriable protocol errors. A broker may not know a topic or a group that was
 * just created or moved. kafkajs retries that when it sends and fetches, but not in administrative requests.
 */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      const { name, retriable } = error as { name?: unknown; retriable?: unknown };
      if (name !== 'KafkaJSProtocolError' || retriable !== true || attempt === 6) throw error;
      await sleep(50 * 2 ** attempt);
    }
  }
}
