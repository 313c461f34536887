import { Injectable } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { actorOf, type Identity } from '../../access/identity';
import { KeyTurns } from '../../access/key-turns';
import {
  AlreadyAcknowledged,
  AlreadySettled,
  Expired,
  type Acknowledgement,
  type Approval,
} from '../../approvals/approval';
import { AcknowledgeApprovalCommand } from '../../approvals/commands/acknowledge-approval';
import { CancelApprovalCommand } from '../../approvals/commands/cancel-approval';
import { EndSessionGrantsCommand } from '../../policy/grants/end-session-grants';
import type { JsonObject } from '../../kernel/json';
import { isQuestion } from '../../kernel/question-tools';
import { joinCorrelation } from '../../logging/correlation';
import { describeError } from '../../kernel/describe-error';
import { Log } from '../../logging/log';
import {
  CONNECTOR,
  digestOf,
  isReportingEvent,
  parseReport,
  type AgentReport,
  type ReportedCall,
} from './claude-code-events';
import type { ReportTaker } from '../http-hook';
import { openCalls } from '../open-calls';

const ANSWERED_AT_TERMINAL = 'answered at the terminal';
/** Reason for a call that only the service decides: the terminal cannot have answered it. */
const WENT_ON = 'the agent went on without this answer';

function claudeCodeOf({ metadata }: Approval): JsonObject {
  return (metadata.claudeCode as JsonObject | undefined) ?? {};
}

const subagentOf = (approval: Approval): unknown => claudeCodeOf(approval).subagentId ?? null;

/** True if the terminal asks at the same time as the operators. */
function isAskedAtTerminal(approval: Approval): boolean {
  return isQuestion(approval) || claudeCodeOf(approval).event === 'PermissionRequest';
}

/** Ignores the working directory, since a call may change it. */
function isSameAction({ toolName, toolInputDigest }: ReportedCall, asked: Approval): boolean {
  return asked.toolName === toolName && digestOf(asked) === toolInputDigest;
}

function mayConcern(report: AgentReport, asked: Approval): boolean {
  switch (report.kind) {
    case 'call-ended':
      return isSameAction(report.call, asked);
    case 'turn-ended':
      return subagentOf(asked) === report.subagentId;
    case 'session-ended':
      return true;
  }
}

/**
 * The requests that a reported call answers: those with the same tool use id. A `PermissionRequest` of Claude Code has
 * no id. Of those with the same action and agent, the call is the last approved one. If none is approved, it is the
 * first pending one, answered at the terminal.
 */
export function reportedOn(call: ReportedCall, open: readonly Approval[]): Approval[] {
  const same = open.filter((asked) => isSameAction(call, asked));
  const exact = same.filter(({ toolUseId }) => toolUseId === call.toolUseId);
  const unnamed = same.filter((asked) => asked.toolUseId === null && subagentOf(asked) === call.subagentId);
  const likely =
    unnamed.findLast(({ status }) => status === 'approved') ??
    unnamed.find(({ status }) => status === 'pending');
  return likely ? [...exact, likely] : exact;
}

/**
 * Handles the reports that Claude Code sends afterwards. It retracts a request that Claude Code no longer waits for,
 * and records for an answered one whether the tool ran. It touches only requests of the agent's own key, session and
 * hook.
 */
@Injectable()
export class ClaudeCodeReports implements ReportTaker {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly turns: KeyTurns,
    private readonly log: Log,
  ) {}

  /** Best effort: a failure is logged and ignored, and a request that is not retracted expires. */
  async take(body: unknown, caller: Identity): Promise<void> {
    const report = parseReport(body);
    if (report === null) {
      const [event, message] = isReportingEvent(body)
        ? ['connector.report-unreadable', 'a report of an agent has another form than is known']
        : ['connector.hook-gates-nothing', 'a hook is set for an event that is not used'];
      this.log.event('warn', event, {}, message);
      return;
    }
    try {
      await this.turns.take(caller.keyId, () => this.record(report, caller));
    } catch (error) {
      const fields = { report: report.kind, error: describeError(error) };
      this.log.event('warn', 'connector.report-failed', fields, 'a report of an agent was not recorded');
    }
  }

  private async record(report: AgentReport, caller: Identity): Promise<void> {
    for (const asked of await this.answeredBy(report, caller)) await this.note(asked, report, caller);
    if (report.kind === 'session-ended')
      await this.commands.execute(new EndSessionGrantsCommand(caller.keyId, report.sessionId));
  }

  private async answeredBy(report: AgentReport, { keyId }: Identity): Promise<readonly Approval[]> {
    const { sessionId } = report;
    const call = report.kind === 'call-ended' ? report.call : null;
    const concerned: Approval[] = [];
    for await (const asked of openCalls(this.queries, { keyId, connector: CONNECTOR, sessionId, call }))
      if (mayConcern(report, asked)) concerned.push(asked);
    return call ? reportedOn(call, concerned) : concerned;
  }

  private async note(asked: Approval, report: AgentReport, caller: Identity): Promise<void> {
    joinCorrelation(asked.correlationId);
    if (asked.status === 'pending') await this.retract(asked, caller);
    if (report.kind === 'call-ended' && report.outcome !== null)
      await this.acknowledge(asked, report.outcome);
  }

  private async retract(asked: Approval, caller: Identity): Promise<void> {
    const reason = isAskedAtTerminal(asked) ? ANSWERED_AT_TERMINAL : WENT_ON;
    try {
      await this.commands.execute(
        new CancelApprovalCommand({
          cause: 'requested',
          id: asked.id,
          by: actorOf(caller),
          reason,
          viewer: { keyId: caller.keyId },
          gone: null,
        }),
      );
      const fields = { approvalId: asked.id, reason };
      this.log.event('info', 'connector.retracted', fields, 'a request was answered elsewhere');
    } catch (error) {
      // The request was decided or expired a moment before: that outcome is final.
      if (!(error instanceof AlreadySettled || error instanceof Expired)) throw error;
    }
  }

  private async acknowledge({ id, keyId }: Approval, outcome: Acknowledgement): Promise<void> {
    try {
      await this.commands.execute(new AcknowledgeApprovalCommand(id, keyId, outcome));
    } catch (error) {
      // An earlier report acknowledged it already.
      if (!(error instanceof AlreadyAcknowledged)) throw error;
    }
  }
}
