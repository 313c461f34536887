import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../../config/environment';
import { Lanes } from '../../outbox/lanes';
import { laneKey } from '../../outbox/outbox-work';

/** The configured chat or topic; none with Telegram off. */
@Injectable()
export class TelegramLanes extends Lanes {
  readonly current: readonly string[];

  constructor(@Inject(CONFIG) { telegram }: Config) {
    super();
    this.current = telegram === null ? [] : [`telegram:${laneKey(telegram)}`];
  }
}
