import { Injectable } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { Identity } from '../access/identity';
import { KeyTurns } from '../access/key-turns';
import { EnqueueApprovalCommand } from '../approvals/commands/enqueue-approval';
import { canonicalize, sha256Hex } from '../kernel/canonical-json';
import { NewRequest } from '../approvals/new-request';
import { currentCorrelationId } from '../logging/correlation';
import { describeError } from '../kernel/describe-error';
import { Log } from '../logging/log';
import type { Question } from './held-calls';
import { openCalls } from './open-calls';

/**
 * Questions that an agent puts to the person at its terminal. Operators see them on a card, but the agent does not
 * wait for operators, since only the terminal can answer.
 */
@Injectable()
export class TerminalQuestions {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly turns: KeyTurns,
    private readonly log: Log,
  ) {}

  /** Best effort: a failure is ignored, since the agent asks the person at the terminal in any case. */
  async show(question: Question, caller: Identity): Promise<void> {
    try {
      await this.turns.take(caller.keyId, () => this.ask(question, caller));
    } catch (error) {
      const fields = { error: describeError(error) };
      this.log.event('warn', 'connector.question-not-shown', fields, 'operators do not see a question');
    }
  }

  private async ask({ connector, body, identity }: Question, caller: Identity): Promise<void> {
    const { keyId } = caller;
    // With hooks for both PreToolUse and PermissionRequest, one question arrives twice.
    const request = await NewRequest.of(body);
    const { inputDigest: action } = request;
    for await (const open of openCalls(this.queries, {
      keyId,
      connector,
      sessionId: body.sessionId,
      call: null,
    }))
      if (open.inputDigest === action) return;
    const name = sha256Hex(canonicalize({ ...identity, action }));
    const correlationId = currentCorrelationId() ?? '';
    const { approval } = await this.commands.execute(
      new EnqueueApprovalCommand(
        request,
        caller,
        `${connector} question ${name}`,
        correlationId,
        false,
        connector,
      ),
    );
    const fields = { approvalId: approval.id };
    this.log.event('info', 'connector.question-shown', fields, 'an agent asks at its terminal');
  }
}
