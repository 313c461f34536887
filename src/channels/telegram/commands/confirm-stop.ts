import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../../kernel/actor';
import { StopPolicyCommand } from '../../../policy/commands/stop-policy';
import { StopConfirmationStore } from '../stop-confirmation-store';

export interface StopResult {
  /**
   * - `stopped-before`: the rules were stopped already.
   * - `stop-of-another`: another person sent `/stop`.
   * - `stop-too-late`: the time for the second tap is over.
   * - `unknown-button`: not a valid button, not on its own message, or used.
   */
  readonly kind: 'stopped' | 'stopped-before' | 'stop-of-another' | 'stop-too-late' | 'unknown-button';
}

/** An operator tapped the button that confirms a stop. */
export class ConfirmStopCommand extends Command<StopResult> {
  constructor(
    readonly nonce: string,
    readonly chatId: string,
    readonly by: Person,
  ) {
    super();
  }
}

/**
 * Stops before it uses up the confirmation: after a crash in between, the same tap arrives again and stops nothing anew. The
 * other order could lose the stop.
 */
@CommandHandler(ConfirmStopCommand)
export class ConfirmStopHandler implements ICommandHandler<ConfirmStopCommand> {
  constructor(
    private readonly confirmations: StopConfirmationStore,
    private readonly commands: CommandBus,
  ) {}

  async execute({ nonce, chatId, by }: ConfirmStopCommand): Promise<StopResult> {
    const confirmation = await this.confirmations.find(nonce, by.id, chatId);
    if (!confirmation) return { kind: 'unknown-button' };
    if (!confirmation.isOwn) return { kind: 'stop-of-another' };
    if (!confirmation.isValid) return { kind: 'stop-too-late' };
    const isNew = await this.commands.execute(new StopPolicyCommand(by));
    await this.confirmations.end(nonce);
    return { kind: isNew ? 'stopped' : 'stopped-before' };
  }
}
