import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Person } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { ApprovalStore } from '../approval-store';
import { notFound } from '../queries/viewer';

/**
 * Erases the input of a settled request everywhere, except for its digests. Idempotent: the first erasure counts.
 *
 * Rejects with `approval.not-found`, `approval.not-settled`.
 */
export class EraseInputCommand extends Command<void> {
  constructor(
    readonly id: string,
    readonly by: Person,
    readonly reason: string,
  ) {
    super();
  }
}

@CommandHandler(EraseInputCommand)
export class EraseInputHandler implements ICommandHandler<EraseInputCommand> {
  constructor(private readonly store: ApprovalStore) {}

  async execute({ id, by, reason }: EraseInputCommand): Promise<void> {
    if (await this.store.eraseInput(id, by, reason)) return;
    const state = await this.store.stateOf(id);
    if (state === null) throw notFound();
    if (state.status === 'pending')
      throw new DomainError(
        'approval.not-settled',
        'The request is pending, and people decide by its input: cancel it first, then erase its input.',
      );
  }
}
