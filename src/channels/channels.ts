import type { ChannelPlug } from './channel';
import { TELEGRAM } from './telegram/telegram';

/** Every channel. Each answers for the lanes that begin with its name. */
export const CHANNELS: readonly ChannelPlug[] = [TELEGRAM];
