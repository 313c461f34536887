import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '../../config/environment';
import { auditName, type Actor } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { ActivePolicy } from '../active-policy';
import { POLICY_LEVEL } from '../policy-level';
import { managed, needsSecondPerson, staleVersion } from '../policy-refusals';
import { PolicyStore, type Activation, type Applied } from '../policy-store';
import { PolicyThreads } from '../policy-threads';

/** The version that is active now, since when, and by whom. */
export interface AppliedPolicy {
  readonly version: string;
  readonly appliedAt: Date;
  readonly by: string;
}

/**
 * Makes a document the active policy. Rejects with `policy.invalid` for a document with errors, `policy.stale` if another
 * version than `replaces` is active, `policy.second-person` for a change that widens an active version which demands two
 * people, `policy.managed` while `POLICY_FILE` is set and `override` is not, and `policy.unsupported` while a live replica cannot enforce it.
 */
export class ApplyPolicyCommand extends Command<AppliedPolicy> {
  constructor(
    readonly text: string,
    /** Null: no policy may be active. */
    readonly replaces: string | null,
    readonly by: Actor,
    readonly options: {
      readonly cause: Activation['cause'];
      /** Name of the key that proposed it, if this is the second person's approval. */
      readonly proposedBy?: string;
      readonly override?: boolean;
      /** The reason for the change, for the operators. */
      readonly comment?: string | null;
    },
  ) {
    super();
  }
}

@CommandHandler(ApplyPolicyCommand)
export class ApplyPolicyHandler implements ICommandHandler<ApplyPolicyCommand> {
  constructor(
    private readonly store: PolicyStore,
    private readonly active: ActivePolicy,
    @Inject(CONFIG) private readonly config: Config,
    private readonly threads: PolicyThreads,
  ) {}

  async execute({ text, replaces, by, options }: ApplyPolicyCommand): Promise<AppliedPolicy> {
    const { file } = this.config.policy;
    if (file !== null && options.override !== true) throw managed(file);
    const active = replaces === null ? null : await this.store.find(replaces);
    const read = await this.threads.accept(text, active?.document ?? null);
    const { version, document, change, needsSecondPerson: needsTwo } = read;
    const { cause, proposedBy = null, comment = null } = options;
    if (needsTwo && proposedBy === null) throw needsSecondPerson();
    const applied = await this.store.apply({
      replaces,
      version,
      document,
      source: text,
      cause,
      by,
      level: POLICY_LEVEL,
      change,
      comment,
      proposedBy,
      overrides: file !== null,
    });
    const appliedAt = await this.appliedAt(applied);
    await this.active.refresh();
    return { version, appliedAt, by: auditName(by) };
  }

  private async appliedAt(applied: Applied): Promise<Date> {
    switch (applied.kind) {
      case 'applied':
        return applied.at;
      case 'stale':
        throw staleVersion((await this.store.state()).version);
      case 'unsupported':
        throw new DomainError(
          'policy.unsupported',
          `The replica ${applied.replica} (version ${applied.build}) cannot enforce this policy; upgrade it first.`,
        );
    }
  }
}
