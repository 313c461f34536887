import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { actorOf, type Identity } from '../../access/identity';
import { DomainError } from '../../kernel/errors';
import { ActivePolicy } from '../active-policy';
import { staleVersion } from '../policy-refusals';
import { PolicyProposals, type Proposal } from '../policy-proposals';
import { PolicyStore } from '../policy-store';
import { PolicyThreads } from '../policy-threads';
import { ApplyPolicyCommand, type AppliedPolicy } from './apply-policy';

type Proposer = Pick<Identity, 'keyId' | 'owner'>;

/** Stores a document that waits for a second person. Rejects with `policy.invalid`. */
export class ProposePolicyCommand extends Command<Proposal> {
  constructor(
    readonly text: string,
    /** The version that it shall replace; null: none is active. */
    readonly replaces: string | null,
    readonly by: Proposer,
    /** The reason for the change, for the operators. */
    readonly comment: string | null,
  ) {
    super();
  }
}

@CommandHandler(ProposePolicyCommand)
export class ProposePolicyHandler implements ICommandHandler<ProposePolicyCommand> {
  constructor(
    private readonly proposals: PolicyProposals,
    private readonly store: PolicyStore,
    private readonly active: ActivePolicy,
    private readonly threads: PolicyThreads,
  ) {}

  async execute({ text, replaces, by, comment }: ProposePolicyCommand): Promise<Proposal> {
    const found = replaces === null ? null : await this.store.find(replaces);
    const { version, document, change } = await this.threads.accept(text, found?.document ?? null);
    const stored = { version, document, source: text, replaces, by, change, comment };
    const proposal = await this.proposals.add(stored);
    if (proposal === null) throw staleVersion(this.active.version);
    return proposal;
  }
}

/**
 * Applies a proposal as its second person. Rejects with `policy.not-found`; with `policy.second-person` for the person who
 * proposed it, and for a key without an owner, since nobody knows whose it is; and like ApplyPolicyCommand.
 */
export class ApproveProposalCommand extends Command<AppliedPolicy> {
  constructor(
    readonly id: string,
    readonly by: Proposer,
    /** Applies it although `POLICY_FILE` is set. */
    readonly override: boolean,
  ) {
    super();
  }
}

@CommandHandler(ApproveProposalCommand)
export class ApproveProposalHandler implements ICommandHandler<ApproveProposalCommand> {
  constructor(
    private readonly proposals: PolicyProposals,
    private readonly commands: CommandBus,
  ) {}

  async execute({ id, by, override }: ApproveProposalCommand): Promise<AppliedPolicy> {
    const proposal = await this.proposals.find(id);
    if (!proposal) throw new DomainError('policy.not-found', 'There is no open proposal with this id.');
    if (!isOther(proposal, by))
      throw new DomainError(
        'policy.second-person',
        'Another person must approve it: an admin key whose owner is not the proposer’s. Both keys need an owner.',
      );
    const { source, replaces, proposedBy } = proposal;
    const applied = await this.commands.execute(
      new ApplyPolicyCommand(source, replaces, actorOf(by), { cause: 'apply', proposedBy, override }),
    );
    await this.proposals.close(id, by.keyId);
    return applied;
  }
}

const personOf = (owner: string | null): string => owner?.trim().toLowerCase() ?? '';

function isOther(proposal: { readonly owner: string | null }, by: Proposer): boolean {
  return proposal.owner !== null && by.owner !== null && personOf(proposal.owner) !== personOf(by.owner);
}
