/** Collects from the brokers and the store what position.ts needs to decide where a group continues in each partition. */
import type { InFlight, Marker } from '../platform/in-flight.ts';
import { leftBehind } from './handover.ts';
import type { Admin, KafkaClient } from './ports.ts';
import { decidePosition, type Position } from './position.ts';

/** Where one partition begins. */
export interface StartPosition {
  readonly partition: number;
  readonly position: Position;
  /** True when the group has committed exactly this position. */
  readonly isStored: boolean;
  /** A marker that a dead process left. */
  readonly left: Marker | undefined;
}

interface Sources {
  readonly client: KafkaClient;
  readonly topic: string;
  readonly group: string;
  readonly inFlight: InFlight;
}

/** Finds the positions over one administrative connection, which is opened when it is first needed. */
export class StartPositions {
  private readonly sources: Sources;
  private admin: Promise<Admin> | undefined;

  constructor(sources: Sources) {
    this.sources = sources;
  }

  /** The positions of the partitions that exist, and the id of their topic. */
  async find(
    partitions: readonly number[],
  ): Promise<{ readonly topicId: string | undefined; readonly found: readonly StartPosition[] }> {
    const { client, topic, group, inFlight } = this.sources;
    this.admin ??= client.admin();
    const admin = await this.admin;
    const [ranges, stored, topicId, left] = await Promise.all([
      admin.ranges(topic),
      admin.committed(group, topic),
      admin.topicId(topic),
      Promise.all(partitions.map((partition) => leftBehind(inFlight, { topic, partition }))),
    ]);
    const found = partitions.flatMap((partition, index) => {
      const range = ranges.get(partition);
      if (range === undefined) return [];
      const committed = stored.get(partition);
      const position = decidePosition({ committed, range, topicId });
      const isStored = committed?.offset === position.start && committed.topicId === topicId;
      return [{ partition, position, isStored, left: left[index] }];
    });
    return { topicId, found };
  }

  /** Closes the connection; {@link find} opens another one. */
  close(): void {
    void this.admin?.then((admin) => admin.close()).catch(() => undefined);
    this.admin = undefined;
  }
}
