import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../../kernel/actor';
import { PolicyStore, type PolicyState } from '../../../policy/policy-store';
import { newNonce } from '../operators/callback-data';
import { StopConfirmationStore } from '../stop-confirmation-store';

/** The nonce of the button that confirms the stop; or the stop that lasts already. */
export type StopOffer =
  { readonly nonce: string } | { readonly stopped: NonNullable<PolicyState['stopped']> };

/** An operator wants to suspend the rules that allow; the first of two taps. */
export class OfferStopCommand extends Command<StopOffer> {
  constructor(
    readonly by: Person,
    readonly chatId: string,
  ) {
    super();
  }
}

@CommandHandler(OfferStopCommand)
export class OfferStopHandler implements ICommandHandler<OfferStopCommand> {
  constructor(
    private readonly policy: PolicyStore,
    private readonly confirmations: StopConfirmationStore,
  ) {}

  async execute({ by, chatId }: OfferStopCommand): Promise<StopOffer> {
    const { stopped } = await this.policy.state();
    if (stopped) return { stopped };
    const nonce = newNonce();
    await this.confirmations.begin(nonce, by.id, chatId);
    return { nonce };
  }
}
