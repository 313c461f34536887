/** How many calls the bot may still make in the windows that run now, over all replicas. */
export interface BudgetLeft {
  /** In the running second. */
  readonly perSecond: number;
  /** In the operators' chat at once. */
  readonly chat: number;
  /** In the operators' chat in the running minute; null when it is no group. */
  readonly groupPerMinute: number | null;
}

/** What only those who talk to Telegram know; the module of the chat provides it. */
export abstract class TelegramInsight {
  abstract budgetLeft(): Promise<BudgetLeft>;
}
