import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { GrantStore } from './grant-store';
import { OpenGrants } from './open-grants';

/** Ends a grant on all replicas. Rejects with `grant.not-found` if there is no open grant with this id. */
export class RevokeGrantCommand extends Command<void> {
  constructor(
    readonly id: string,
    readonly by: Person,
  ) {
    super();
  }
}

@CommandHandler(RevokeGrantCommand)
export class RevokeGrantHandler implements ICommandHandler<RevokeGrantCommand> {
  constructor(
    private readonly store: GrantStore,
    private readonly grants: OpenGrants,
  ) {}

  async execute({ id, by }: RevokeGrantCommand): Promise<void> {
    if (!(await this.store.revoke(id, by)))
      throw new DomainError('grant.not-found', 'There is no open grant with this id.');
    await this.grants.refresh();
  }
}
