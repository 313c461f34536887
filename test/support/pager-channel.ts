import { Injectable } from '@nestjs/common';
import { Channel, DeliveryFailure, type ChannelPlug } from '../../src/channels/channel';
import { Carrier, type Room } from '../../src/outbox/carrier';
import { Lanes } from '../../src/outbox/lanes';
import { OutboxStore, type Work } from '../../src/outbox/outbox-store';

export const PAGER_LANE = 'pager:42';

/** State of the pager: the test sets how it behaves, and reads what it showed. */
export const pager = {
  reachable: true,
  /** Time at which it takes the next message; null: now. */
  freeAt: null as string | null,
  refusals: 0,
  shown: [] as string[],
  returned: 0,
  onReachable: (): void => undefined,
};

@Injectable()
class PagerLanes extends Lanes {
  readonly current = [PAGER_LANE];
}

@Injectable()
class PagerCarrier extends Carrier {
  readRoom = (): Promise<readonly Room[]> =>
    Promise.resolve([{ place: 'pager', freeAt: pager.freeAt, shareFreeAt: null }]);
  takeSlot = () => Promise.resolve('a slot of the pager');
  cancelSlot = (lane: string, slot: string): Promise<void> => {
    if (lane === PAGER_LANE && slot === 'a slot of the pager') pager.returned++;
    return Promise.resolve();
  };
  perMinute = () => 60;
  forgive = () => Promise.resolve();
}

@Injectable()
class PagerChannel extends Channel {
  constructor(private readonly outbox: OutboxStore) {
    super();
  }

  get reachable() {
    return pager.reachable;
  }

  onReachable(listener: () => void) {
    pager.onReachable = listener;
  }

  check = () => Promise.resolve();
  catchUp = () => Promise.resolve({ cards: 0, outcomes: 0 });

  async deliver(work: Work) {
    if (pager.refusals > 0) {
      pager.refusals--;
      throw new DeliveryFailure('lane', 'the pager is busy');
    }
    if ('approvalId' in work) pager.shown.push(`${work.kind} ${work.approvalId}`);
    await this.outbox.finish(work);
    return true;
  }
}

/** A channel that exists only in tests. */
export const PAGER: ChannelPlug = {
  name: 'pager',
  isOn: () => true,
  lanes: PagerLanes,
  carrier: PagerCarrier,
  channel: PagerChannel,
  providers: [],
};
