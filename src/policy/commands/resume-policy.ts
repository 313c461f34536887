import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Actor } from '../../kernel/actor';
import { ActivePolicy } from '../active-policy';
import { PolicyStore } from '../policy-store';

/**
 * Lets the rules allow again.
 *
 * @returns true if they were stopped.
 */
export class ResumePolicyCommand extends Command<boolean> {
  constructor(readonly by: Actor) {
    super();
  }
}

@CommandHandler(ResumePolicyCommand)
export class ResumePolicyHandler implements ICommandHandler<ResumePolicyCommand> {
  constructor(
    private readonly store: PolicyStore,
    private readonly active: ActivePolicy,
  ) {}

  async execute({ by }: ResumePolicyCommand): Promise<boolean> {
    const wasStopped = await this.store.resume(by);
    await this.active.refresh();
    return wasStopped;
  }
}
