import type { ApprovalRequest, SettledApproval } from '../../../src/approvals/approval';
import * as body from '../../../src/cards/card-body';
import * as text from '../../../src/cards/card-text';
import { MAX_MESSAGE_LENGTH } from '../../../src/channels/telegram/dialect';

type Options = Parameters<typeof text.renderCard>[2];
type Pieces = Parameters<typeof text.renderOutcome>[2];

/** Cards in the size that Telegram takes. */
export const renderCard = (approval: ApprovalRequest, options?: Options) => {
  const card = text.renderCard(approval, MAX_MESSAGE_LENGTH, options);
  return { ...card, document: card.files.find(({ isWhole }) => isWhole) ?? null };
};
export const renderOutcome = (approval: SettledApproval, pieces?: Pieces) =>
  text.renderOutcome(approval, MAX_MESSAGE_LENGTH, pieces);
export const prepareCard = (approval: ApprovalRequest) => body.prepareCard(approval, MAX_MESSAGE_LENGTH);
