import type { Approval } from '../../agent-side/client/approval-wire';
import type { ActionPart } from '../../cards/action-part';
import { actionLine, actionParts, blockLines, labelOf } from '../../cards/action-parts';
import { warningsFor } from '../../cards/warnings';
import { askerOf, CLAIMED_AGENT } from '../../cards/asker';
import { beginning } from '../../cards/excerpt';
import { span, utc } from '../../cards/moments';
import { shortId } from '../../cards/short-id';
import { visibleLine } from '../../cards/visible-text/visible-text';
import { table } from '../output';

const LABEL_WIDTH = 22;
const LISTED_NAME_LENGTH = 20;
const LISTED_ACTION_LENGTH = 60;

const moment = (time: string): string => utc(new Date(time));
const field = (label: string, value: string): string => `${`${label}:`.padEnd(LABEL_WIDTH)} ${value}`;

/**
 * Everything that an operator's card shows, for a terminal: the complete action, with invisible characters made
 * visible. Every line of a block has a mark, so that no text of the agent can imitate a line of ours.
 */
export function approvalLines(approval: Approval): string[] {
  const { toolName, toolInput, cwd, summary, requestedBy, agentId, sessionId, metadata } = approval;
  return [
    field('Request', `${shortId(approval.id)}  (${approval.id})`),
    field('Status', visibleLine(approval.status)),
    ...outcomeLines(approval),
    field('Tool', visibleLine(toolName)),
    ...actionParts(toolName, toolInput).flatMap(partLines),
    ...warningsFor(approval).map(({ text }) => text),
    ...(cwd === null ? [] : [field('Directory', visibleLine(cwd))]),
    ...(summary === null ? [] : [field('Summary by the agent', visibleLine(summary))]),
    ...(requestedBy === undefined
      ? []
      : [field('Asked by', askerOf({ keyId: requestedBy.key, owner: requestedBy.owner }))]),
    field(CLAIMED_AGENT, visibleLine(agentId)),
    field('Session', visibleLine(sessionId)),
    ...(Object.keys(metadata).length === 0 ? [] : [field('Metadata', visibleLine(JSON.stringify(metadata)))]),
    field('Asked', moment(approval.createdAt)),
    field('Expires', `${moment(approval.expiresAt)} (${lifetime(approval)} after the request)`),
    field('Digest', approval.inputDigest),
    ...policyLines(approval),
  ];
}

/** The verdict of the policy; an earlier service sends none. */
function policyLines({ policy }: Approval): string[] {
  if (policy === null || policy === undefined) return [];
  const { decision, rules, doubt } = policy;
  const by = rules.length === 0 ? 'no rule matched' : rules.map(visibleLine).join(', ');
  return [
    field('Policy', `${decision}: ${by}`),
    ...(doubt === null ? [] : [field('Doubt', visibleLine(doubt))]),
  ];
}

/** A heading, then one line for each request with the beginning of its action. */
export function listLines(approvals: readonly Approval[]): string[] {
  const name = (text: string): string => beginning(visibleLine(text), LISTED_NAME_LENGTH);
  const rows = approvals.map(({ id, status, createdAt, requestedBy, agentId, toolName, toolInput }) => [
    shortId(id),
    visibleLine(status),
    moment(createdAt),
    requestedBy === undefined ? '' : name(requestedBy.key),
    name(agentId),
    name(toolName),
    actionLine(toolName, toolInput, LISTED_ACTION_LENGTH),
  ]);
  return table([['ID', 'STATUS', 'ASKED', 'KEY', 'AGENT (CLAIMED)', 'TOOL', 'ACTION'], ...rows]);
}

/** The outcome in words: `approved by Olivia (Telegram id 1): looks fine`. */
export function endingOf({ status, decision, reason }: Approval): string {
  const ended = visibleLine(status);
  if (decision === null) return reason === null ? ended : `${ended}: ${visibleLine(reason)}`;
  const { by } = decision;
  const id = `${idLabel(by.kind)} ${visibleLine(by.id)}`;
  const because = decision.reason === null ? '' : `: ${visibleLine(decision.reason)}`;
  return `${ended} by ${visibleLine(by.name)} (${id})${because}`;
}

/** A kind that a later service adds is its own label. */
function idLabel(kind: string): string {
  switch (kind) {
    case 'telegram':
      return 'Telegram id';
    case 'api':
      return 'API key';
    default:
      return visibleLine(kind);
  }
}

function outcomeLines(approval: Approval): string[] {
  if (approval.settledAt === null) return [];
  const { acknowledged } = approval;
  return [
    field('Ended', `${moment(approval.settledAt)}, ${endingOf(approval)}`),
    ...(acknowledged === null ? [] : [field('Acknowledged', visibleLine(acknowledged))]),
  ];
}

function partLines(part: ActionPart): string[] {
  if (part.layout === 'line' || part.shown === '') return [field(labelOf(part), part.shown)];
  return [`${labelOf(part)}:`, ...blockLines(part.shown)];
}

function lifetime({ createdAt, expiresAt }: Approval): string {
  return span(Date.parse(createdAt), Date.parse(expiresAt));
}
