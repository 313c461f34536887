import type { Query } from '../database/database';
import { Carrier, type Room } from '../outbox/carrier';
import { channelOf, Lanes } from '../outbox/lanes';
import type { Channel } from './channel';

function byLane<Port>(ports: ReadonlyMap<string, Port>, lane: string): Port {
  const port = ports.get(channelOf(lane));
  if (port === undefined) throw new Error(`no channel takes the lane ${lane}`);
  return port;
}

/** The lanes of all channels: each approval is shown in all of them. */
export class LanesOfAll extends Lanes {
  constructor(private readonly all: readonly Lanes[]) {
    super();
  }

  get current(): readonly string[] {
    return this.all.flatMap(({ current }) => current);
  }
}

/** Asks the carrier of each lane's channel. */
export class CarrierByLane extends Carrier {
  constructor(private readonly carriers: ReadonlyMap<string, Carrier>) {
    super();
  }

  async readRoom(query: Query): Promise<readonly Room[]> {
    const rooms: Room[] = [];
    // In the same order on every replica, since each locks its room.
    for (const carrier of this.carriers.values()) rooms.push(...(await carrier.readRoom(query)));
    return rooms;
  }

  takeSlot(query: Query, lane: string, shared: boolean): Promise<string> {
    return byLane(this.carriers, lane).takeSlot(query, lane, shared);
  }

  cancelSlot(lane: string, slot: string): Promise<void> {
    return byLane(this.carriers, lane).cancelSlot(lane, slot);
  }

  perMinute(lane: string): number {
    return byLane(this.carriers, lane).perMinute(lane);
  }

  async forgive(query: Query, approvalIds: readonly string[]): Promise<void> {
    for (const carrier of this.carriers.values()) await carrier.forgive(query, approvalIds);
  }
}

/** The channels that are on. */
export class OpenChannels {
  constructor(
    private readonly names: readonly string[],
    private readonly open: ReadonlyMap<string, Channel>,
  ) {}

  get all(): readonly Channel[] {
    return [...this.open.values()];
  }

  /** Names of the channels that are off, or that this replica cannot reach now. */
  get away(): readonly string[] {
    return this.names.filter((name) => this.open.get(name)?.reachable !== true);
  }

  of(lane: string): Channel {
    return byLane(this.open, lane);
  }
}
