import { nameActor, TIMEOUT_ACTOR, type Actor, type Asker, type Person } from '../kernel/actor';
import { DomainError, InvalidInput } from '../kernel/errors';
import type { JsonObject } from '../kernel/json';
import type { Erasure } from '../kernel/erasure';
import { nameOfClaimer, type Claim, type Extension } from '../kernel/claim';
import type { PolicyVerdict } from '../kernel/policy-verdict';
import type { PersonsDecision, Requirement } from '../kernel/requirement';
import { isQuestion } from '../kernel/question-tools';
import { answersDigest, faultOf, questionsOf, withAnswers, type Answers } from '../kernel/questions';
import type { SignedDecision } from '../kernel/passkey-statement';

export type Verdict = 'approved' | 'rejected';

/**
 * The agent's state after the request settled, from the least to the most that is known: `gone`, no caller took the
 * answer; `answered`, the service wrote the answer to the agent's connection; `resumed`, the agent reports that it went
 * on; `ran` and `failed`, the agent reports the result of the tool.
 */
export const ACKNOWLEDGEMENTS = ['gone', 'answered', 'resumed', 'ran', 'failed'] as const;

export type Acknowledgement = (typeof ACKNOWLEDGEMENTS)[number];

/** The number of the caller that waits for the answer, from 0. Only the last one gets it. */
export type Hold = number;

export const FIRST_HOLD: Hold = 0;

/** The departure that left nobody waiting. The request is abandoned only if no caller has joined since. */
export type Departure = number;

/** A pending request that its caller has left. */
export interface Left {
  readonly departure: Departure;
  /** People may have given it more time since the caller asked. */
  readonly expiresAt: Date;
  /** True if no step of its chain reaches anybody. */
  readonly isUnreachable: boolean;
}

export interface Decision {
  readonly by: Actor;
  readonly reason: string | null;
  /** Missing where no question was answered. */
  readonly answers?: Answers;
}

/** The request as the agent asked it; immutable. */
export interface ApprovalRequest extends Asker {
  /** UUID version 7, made by the database. */
  readonly id: string;
  /** The API key that asked; "own" means created with this key. */
  readonly keyId: string;
  /** The name that the caller gives itself. */
  readonly agentId: string;
  readonly sessionId: string;
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly toolUseId: string | null;
  readonly summary: string | null;
  readonly cwd: string | null;
  readonly metadata: JsonObject;
  /** The connector that brought it, which callers cannot set; null: REST. */
  readonly connector: string | null;
  /** `sha256:` and the hex SHA-256 of the RFC 8785 form of {toolName, toolInput, cwd}. */
  readonly inputDigest: string;
  readonly correlationId: string;
  /** Parent of its later spans, as a W3C `traceparent`; null: it is not traced. */
  readonly traceparent: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** The verdict of the policy when it was asked; null: no policy was active. */
  readonly policy: PolicyVerdict | null;
  /** The decisions that it needs; null: one of any operator. */
  readonly required: Requirement | null;
}

/** A request of the same session before another one, and its state. */
export interface EarlierRequest {
  /** Null: it is too large to be read for a line of words. */
  readonly request: Pick<ApprovalRequest, 'toolName' | 'toolInput' | 'cwd'> | null;
  readonly status: 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled';
  readonly acknowledged: Acknowledgement | null;
  /** The rule that answered it; null: a person did, or nobody has. */
  readonly rule: string | null;
}

interface Ending {
  readonly settledAt: Date;
  /** The signed statement of it, a compact JWS; null while it has none. Without it no caller gets an answer. */
  readonly receipt: string | null;
  readonly acknowledged: Acknowledgement | null;
}

/** A union of states, so that the types exclude impossible rows. */
export type Approval = ApprovalRequest & {
  /** The decisions of people, in the order of their times. */
  readonly decisions: readonly PersonsDecision[];
  /** The last claim, which may have ended; missing: there was none. */
  readonly claim?: Claim;
  /** The last person who gave it more time; missing: nobody has. */
  readonly extension?: Extension;
  /** An admin has erased its input; missing: nobody has. */
  readonly erasure?: Erasure;
} & (
    | { readonly status: 'pending' }
    | (Ending & { readonly status: Verdict; readonly decision: Decision })
    | (Ending & {
        readonly status: 'expired' | 'cancelled';
        readonly by: Actor;
        readonly reason: string | null;
      })
  );

export type PendingApproval = Extract<Approval, { status: 'pending' }>;

export type SettledApproval = Exclude<Approval, { status: 'pending' }>;

/** The ending of a request, without the request itself; part of every settled approval. */
export type Settlement = Pick<
  SettledApproval,
  'id' | 'correlationId' | 'traceparent' | 'createdAt' | 'settledAt'
> &
  (
    | { readonly status: Verdict; readonly decision: Decision }
    | { readonly status: 'expired' | 'cancelled'; readonly by: Actor }
  );

export type DecidedApproval = Extract<Approval, { status: Verdict }>;

export type ApprovalStatus = Approval['status'];

/** A refusal that carries the true state of the approval. */
export abstract class ApprovalRefusal extends DomainError {
  abstract readonly approval: Approval;
}

/** A second, different ending was requested. */
export class AlreadySettled extends ApprovalRefusal {
  override readonly name = 'AlreadySettled';

  constructor(readonly approval: SettledApproval) {
    super('approval.already-settled', `The approval is already ${approval.status}.`);
  }
}

/** A decision came at or after `expiresAt`. */
export class Expired extends ApprovalRefusal {
  override readonly name = 'Expired';

  constructor(readonly approval: Approval) {
    super('approval.expired', `The approval expired at ${approval.expiresAt.toISOString()}.`);
  }
}

/** An acknowledgement came before the request settled. */
export class NotSettled extends ApprovalRefusal {
  override readonly name = 'NotSettled';

  constructor(readonly approval: Approval) {
    super('approval.not-settled', 'The approval is still pending; acknowledge it once it has settled.');
  }
}

/** The recorded acknowledgement says as much or more. */
export class AlreadyAcknowledged extends ApprovalRefusal {
  override readonly name = 'AlreadyAcknowledged';

  constructor(readonly approval: SettledApproval) {
    super(
      'approval.already-acknowledged',
      `The approval is already acknowledged as ${approval.acknowledged}.`,
    );
  }
}

/** The verdict would have no effect: nobody would receive it, or it does not answer a question. */
export class NotDecidable extends ApprovalRefusal {
  override readonly name = 'NotDecidable';

  constructor(
    readonly approval: Approval,
    verdict: Verdict,
  ) {
    const why =
      verdict === 'approved'
        ? 'An approval without answers does not answer a question'
        : 'The agent asks at its terminal and waits for nothing else';
    super('approval.not-decidable', `${why}; answer it at the terminal where the agent runs.`);
  }
}

/** Another person is on it. */
export class AlreadyClaimed extends ApprovalRefusal {
  override readonly name = 'AlreadyClaimed';

  constructor(
    readonly approval: PendingApproval,
    { until, ...claim }: Claim,
  ) {
    super(
      'approval.claimed',
      `${nameOfClaimer(claim)} ${claim.kind === 'snoozed' ? 'has snoozed it' : 'is on it'} until ${until.toISOString()}. A decision needs no claim.`,
    );
  }
}

/** More time was asked for than the request may have. */
export class NoMoreTime extends ApprovalRefusal {
  override readonly name = 'NoMoreTime';

  constructor(
    readonly approval: PendingApproval,
    readonly latest: Date,
  ) {
    super('approval.no-more-time', `The request may wait until ${latest.toISOString()} at the latest.`);
  }
}

/** A letter, a digit or a mark that is seen; the blank of Braille is not, nor what only changes how others look. */
const SAYS_SOMETHING = /(?![\p{Default_Ignorable_Code_Point}\u2800])[\p{L}\p{N}\p{P}\p{S}]/u;

/** A decision without the reason that the class of its request demands. */
export class ReasonRequired extends DomainError {
  override readonly name = 'ReasonRequired';

  constructor(className: string | null) {
    super(
      'reason.required',
      `The class ${className ?? 'normal'} of the policy demands a reason for every decision; decide again with one.`,
    );
  }
}

/**
 * The verdicts that an operator can give without answers. A question cannot be approved so: the agent would read that nobody
 * answered it. One of an unknown form that came by a connector is asked at the terminal, so no caller waits for a rejection
 * either.
 */
export function possibleVerdicts(
  request: Pick<ApprovalRequest, 'toolName' | 'toolInput' | 'connector'>,
): readonly Verdict[] {
  if (!isQuestion(request)) return ['approved', 'rejected'];
  return request.connector === null || questionsOf(request) !== null ? ['rejected'] : [];
}

/** The input with which the approved tool may run: that of a question has its answers. */
export function inputOf(approval: Approval): JsonObject {
  const answers = approval.status === 'approved' ? approval.decision.answers : undefined;
  return answers ? withAnswers(approval.toolInput, answers) : approval.toolInput;
}

/** The words of the person who approved; null without any. */
export function noteOf(approval: Approval): string | null {
  if (approval.status !== 'approved') return null;
  const { by, reason } = approval.decision;
  return by.kind === 'person' ? reason : null;
}

export function isSettled(approval: Approval): approval is SettledApproval {
  return approval.status !== 'pending';
}

function isPerson(actor: Actor, { channel, id }: Person): boolean {
  return actor.kind === 'person' && actor.channel === channel && actor.id === id;
}

/**
 * Applies an operator's verdict. Idempotent for the same verdict, with the same answers, by the same operator.
 *
 * @param answers to the questions of the request, which approve it; null: none
 * @throws AlreadySettled after another ending, Expired from `expiresAt` on, NotDecidable when the verdict would have no
 * effect, InvalidInput for answers that do not fit the questions, ReasonRequired without the reason that its class demands.
 */
export function decide(
  approval: Approval,
  by: Person,
  verdict: Verdict,
  reason: string | null,
  now: Date,
  answers: Answers | null = null,
): DecidedApproval {
  if (isSettled(approval)) {
    if (approval.status === verdict && isPerson(approval.decision.by, by) && hasAnswers(approval, answers))
      return approval;
    throw new AlreadySettled(approval);
  }
  if (now >= approval.expiresAt) throw new Expired(approval);
  if (answers !== null) checkAnswers(approval, verdict, answers);
  else if (!possibleVerdicts(approval).includes(verdict)) throw new NotDecidable(approval, verdict);
  else if (approval.policy?.needsReason && !SAYS_SOMETHING.test(reason ?? ''))
    throw new ReasonRequired(approval.policy.class);
  return {
    ...approval,
    status: verdict,
    settledAt: now,
    receipt: null,
    decision: { by, reason, ...(answers && { answers }) },
    acknowledged: null,
  };
}

function hasAnswers({ decision }: DecidedApproval, answers: Answers | null): boolean {
  if (answers === null) return true;
  return decision.answers !== undefined && answersDigest(decision.answers) === answersDigest(answers);
}

function checkAnswers(approval: Approval, verdict: Verdict, answers: Answers): void {
  const questions = questionsOf(approval);
  const fault =
    questions === null || verdict === 'rejected'
      ? 'belongs to the approval of a question only'
      : faultOf(answers, questions);
  if (fault !== null) throw new InvalidInput([{ path: 'answers', message: fault }]);
}

/** The claim of a request that counts now; null: nobody is on it. */
export function openClaim({ claim }: Pick<Approval, 'claim'>, now: Date): Claim | null {
  return claim !== undefined && now < claim.until ? claim : null;
}

/** The claim of a request is of this person, by this or another account. */
export function isClaimedBy(claim: Claim, { channel, id, name }: Person): boolean {
  const { by, person } = claim;
  return (by.kind === channel && by.id === id) || (person !== null && person === name);
}

/** Seconds from its creation that a request may wait at most. @param installation the most for any request, in seconds */
export function longestWait({ policy }: Pick<ApprovalRequest, 'policy'>, installation: number): number {
  return Math.min(policy?.maximumSeconds ?? Infinity, installation);
}

/** The approval with the decision that settles it among those of people. An earlier one of the same account is replaced. */
export function withDecision(
  decided: DecidedApproval,
  displayDigest: string | null,
  signed: SignedDecision | null = null,
): DecidedApproval {
  const { status: verdict, settledAt: at, decision } = decided;
  const by = nameActor(decision.by);
  const others = decided.decisions.filter((each) => !(each.by.kind === by.kind && each.by.id === by.id));
  const own = { by, person: null, verdict, reason: decision.reason, at, displayDigest, signed };
  return { ...decided, decisions: [...others, own] };
}

/**
 * The decisions of other people that settle the request together with this one; null: it needs more people.
 *
 * Two accounts of one person look like two people here. The statement that settles counts people.
 */
export function completedBy(
  { required, decisions }: Approval,
  { channel, id }: Person,
  verdict: Verdict,
): readonly PersonsDecision[] | null {
  if (required === null) return [];
  const others = decisions.filter(
    ({ by, person, verdict: own }) =>
      own === verdict && person !== null && !(by.kind === channel && by.id === id),
  );
  const people = new Set(others.map(({ person }) => person));
  const needed = verdict === 'approved' ? required.approvals : required.rejections;
  return people.size + 1 >= needed ? others : null;
}

/**
 * Cancels the request for the asker or an operator. Idempotent for the same caller.
 *
 * @throws AlreadySettled after another ending, Expired from `expiresAt` on.
 */
export function cancel(approval: Approval, by: Person, reason: string | null, now: Date): SettledApproval {
  if (isSettled(approval)) {
    if (approval.status === 'cancelled' && isPerson(approval.by, by)) return approval;
    throw new AlreadySettled(approval);
  }
  if (now >= approval.expiresAt) throw new Expired(approval);
  return {
    ...approval,
    status: 'cancelled',
    settledAt: now,
    receipt: null,
    by,
    reason,
    acknowledged: null,
  };
}

/** Ends a request that nobody decided by `expiresAt` + grace; returns every other request unchanged. */
export function expire(approval: Approval, gracePeriodMs: number, now: Date): Approval {
  if (isSettled(approval) || now.getTime() < approval.expiresAt.getTime() + gracePeriodMs) return approval;
  return {
    ...approval,
    status: 'expired',
    settledAt: now,
    receipt: null,
    by: TIMEOUT_ACTOR,
    reason: unansweredReason(approval),
    acknowledged: null,
  };
}

/** `ran` and `failed` are final and exclude each other. */
const KNOWLEDGE: Record<Acknowledgement, number> = { gone: 0, answered: 1, resumed: 2, ran: 3, failed: 3 };

/**
 * Returns the acknowledgements that this one may replace: those that say less. An agent that was recorded as gone may
 * come back. A delivered answer stays delivered, or a second call would get it too.
 */
export function replacedBy(outcome: Acknowledgement): Acknowledgement[] {
  return ACKNOWLEDGEMENTS.filter((earlier) => KNOWLEDGE[earlier] < KNOWLEDGE[outcome]);
}

/**
 * Records the agent's acknowledgement. Idempotent for the same outcome.
 *
 * @throws NotSettled while the request is pending, AlreadyAcknowledged when as much or more is known.
 */
export function acknowledge(approval: Approval, outcome: Acknowledgement): SettledApproval {
  if (!isSettled(approval)) throw new NotSettled(approval);
  const { acknowledged } = approval;
  if (acknowledged === outcome) return approval;
  if (acknowledged !== null && !replacedBy(outcome).includes(acknowledged))
    throw new AlreadyAcknowledged(approval);
  return { ...approval, acknowledged: outcome };
}

/** States that nobody answered, which is not a rejection. The service does not see answers given at the terminal. */
export function unansweredReason(
  request: Pick<ApprovalRequest, 'createdAt' | 'expiresAt'> & { readonly toolName?: string },
  isUnreachable = false,
): string {
  const seconds = Math.round((request.expiresAt.getTime() - request.createdAt.getTime()) / 1000);
  const minutes = seconds / 60;
  const span =
    seconds % 60 === 0
      ? `${minutes} minute${minutes === 1 ? '' : 's'}`
      : `${seconds} second${seconds === 1 ? '' : 's'}`;
  if (isUnreachable) return `nobody could be reached within ${span}: every place refused the request`;
  return isQuestion({ toolName: request.toolName ?? '' })
    ? `no answer was reported within ${span}`
    : `nobody answered within ${span}`;
}
