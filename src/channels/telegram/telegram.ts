import type { ChannelPlug } from '../channel';
import { CardReplyStore } from './card-reply-store';
import { CardStore } from './card-store';
import { ChatMoves } from './chat-moves';
import { DirectLaneStore } from '../../people/direct-lane-store';
import { BeginDirectLaneHandler } from './commands/begin-direct-lane';
import { BringUpCardHandler } from './commands/bring-up-card';
import { ConfirmStopHandler } from './commands/confirm-stop';
import { MoveChatHandler } from './commands/move-chat';
import { OfferStopHandler } from './commands/offer-stop';
import { ReplyToCardHandler } from './commands/reply-to-card';
import { ReportGapHandler } from './commands/report-gap';
import { TapCardHandler } from './commands/tap-card';
import { TapAnswerHandler } from './commands/tap-answer';
import { TapWordsHandler } from './commands/tap-words';
import { RememberOffersHandler } from './commands/remember-offers';
import { RememberTapHandler } from './commands/remember-tap';
import { HasCountedHandler } from './queries/has-counted';
import { TapGrantHandler } from './commands/tap-grant';
import { TapTurnHandler } from './commands/tap-turn';
import { Destination } from './destination';
import { CHANNEL } from './lane';
import { IsCardHandler } from './queries/is-card';
import { SendBudget } from './send-budget';
import { CountedTapStore } from './counted-tap-store';
import { StopConfirmationStore } from './stop-confirmation-store';
import { TelegramCarrier } from './telegram-carrier';
import { TelegramChannel } from './telegram-channel';
import { TurnStore } from './turn-store';

export const TELEGRAM: ChannelPlug = {
  name: CHANNEL,
  isOn: ({ telegram }) => telegram !== null,
  lanes: Destination,
  carrier: TelegramCarrier,
  channel: TelegramChannel,
  providers: [
    ChatMoves,
    SendBudget,
    CardStore,
    IsCardHandler,
    TapCardHandler,
    CardReplyStore,
    TapWordsHandler,
    TapAnswerHandler,
    ReplyToCardHandler,
    BringUpCardHandler,
    ReportGapHandler,
    MoveChatHandler,
    DirectLaneStore,
    BeginDirectLaneHandler,
    CountedTapStore,
    StopConfirmationStore,
    OfferStopHandler,
    ConfirmStopHandler,
    RememberOffersHandler,
    RememberTapHandler,
    HasCountedHandler,
    TapGrantHandler,
    TurnStore,
    TapTurnHandler,
  ],
};
