import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { isQuestion } from '../../kernel/question-tools';
import { ActivePolicy } from '../../policy/active-policy';
import { possibleVerdicts, type Approval } from '../approval';

/** True if one tap may approve or reject the request together with others. */
export class MayDecideTogetherQuery extends Query<boolean> {
  constructor(readonly approval: Approval) {
    super();
  }
}

/** True if no class of the request demands more than one tap. */
export function mayDecideTogether({ required, policy: verdict }: Approval, policy: ActivePolicy): boolean {
  return required === null && !verdict?.needsReason && policy.mayDecideTogether(verdict);
}

@QueryHandler(MayDecideTogetherQuery)
export class MayDecideTogetherHandler implements IQueryHandler<MayDecideTogetherQuery> {
  constructor(private readonly policy: ActivePolicy) {}

  execute({ approval }: MayDecideTogetherQuery): Promise<boolean> {
    return Promise.resolve(
      approval.status === 'pending' &&
        !isQuestion(approval) &&
        possibleVerdicts(approval).length === 2 &&
        mayDecideTogether(approval, this.policy),
    );
  }
}
