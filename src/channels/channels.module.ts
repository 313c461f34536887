import { Module, type DynamicModule } from '@nestjs/common';
import { FinishedApprovals } from '../approvals/finished-approvals';
import type { Config } from '../config/environment';
import { Carrier } from '../outbox/carrier';
import { Lanes } from '../outbox/lanes';
import { OutboxModule } from '../outbox/outbox.module';
import type { Channel } from './channel';
import { CHANNELS } from './channels';
import { CarrierByLane, LanesOfAll, OpenChannels } from './channels-by-lane';
import { DeliveryWorker } from './delivery-worker';

const NAMES = CHANNELS.map(({ name }) => name);
const PARTS = CHANNELS.flatMap(({ lanes, carrier, providers }) => [lanes, carrier, ...providers]);

@Module({
  imports: [OutboxModule],
  providers: [
    ...PARTS,
    {
      provide: Lanes,
      useFactory: (...all: Lanes[]) => new LanesOfAll(all),
      inject: CHANNELS.map(({ lanes }) => lanes),
    },
    {
      provide: Carrier,
      useFactory: (...all: Carrier[]) =>
        new CarrierByLane(new Map(all.map((each, i) => [NAMES[i] ?? '', each]))),
      inject: CHANNELS.map(({ carrier }) => carrier),
    },
  ],
  exports: [Lanes, Carrier, ...PARTS],
})
export class ChannelsModule {
  /** With every channel off, there is nothing to deliver. */
  static with(config: Config): DynamicModule {
    const open = CHANNELS.filter(({ isOn }) => isOn(config));
    const openChannels = {
      provide: OpenChannels,
      useFactory: (...all: Channel[]) =>
        new OpenChannels(NAMES, new Map(all.map((each, i) => [open[i]?.name ?? '', each]))),
      inject: open.map(({ channel }) => channel),
    };
    return {
      module: ChannelsModule,
      global: true,
      providers:
        open.length === 0
          ? []
          : [FinishedApprovals, ...open.map(({ channel }) => channel), openChannels, DeliveryWorker],
    };
  }
}
