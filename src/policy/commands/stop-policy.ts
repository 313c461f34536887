import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Actor } from '../../kernel/actor';
import { ActivePolicy } from '../active-policy';
import { PolicyStore } from '../policy-store';

/**
 * Suspends every rule that allows, on all replicas, until somebody resumes them: everything that no rule denies asks a
 * person.
 *
 * @returns true if this was new.
 */
export class StopPolicyCommand extends Command<boolean> {
  constructor(readonly by: Actor) {
    super();
  }
}

@CommandHandler(StopPolicyCommand)
export class StopPolicyHandler implements ICommandHandler<StopPolicyCommand> {
  constructor(
    private readonly store: PolicyStore,
    private readonly active: ActivePolicy,
  ) {}

  async execute({ by }: StopPolicyCommand): Promise<boolean> {
    const isNew = await this.store.stop(by);
    await this.active.refresh();
    return isNew;
  }
}
