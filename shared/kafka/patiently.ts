/** Questions to brokers that do not know the answer yet. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A topic or a group that has just come, or has just moved, is answered for by a broker that does not know it
 * yet. kafkajs waits for that where it sends and fetches, not where it asks.
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
