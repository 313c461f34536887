import { z } from 'zod';
import { ACTOR_KINDS, nameActor, type Actor, type Asker, type NamedActor } from '../kernel/actor';
import { DECISION, type SignedDecision } from '../kernel/passkey-statement';
import { answersDigest, type Answers } from '../kernel/questions';
import type { PolicyVerdict } from '../kernel/policy-verdict';

/** The header's `typ`, so that no other signed document passes for a receipt. */
export const RECEIPT_TYPE = 'countersign-receipt+jwt';
export const RECEIPT_ISSUER = 'countersign';
/** Time after the settlement during which a receipt may be acted on; as evidence it stays valid. */
export const RECEIPT_USE_SECONDS = 24 * 60 * 60;

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const seconds = z.int().min(0);

const decider = <const Kinds extends readonly string[]>(kinds: Kinds) =>
  z.strictObject({ kind: z.enum(kinds), id: z.string(), name: z.string() });

const version1 = z.strictObject({
  iss: z.literal(RECEIPT_ISSUER),
  /** The agent that may act on it: its `agentId`. */
  aud: z.string(),
  /** Unique for every receipt: a verifier accepts each only once. */
  jti: z.uuid(),
  approvalId: z.uuid(),
  agentId: z.string(),
  sessionId: z.string(),
  toolName: z.string(),
  inputDigest: digest,
  /** Digest of the card that the operator saw; null when no card was shown. */
  displayDigest: digest.nullable(),
  status: z.enum(['approved', 'rejected', 'expired', 'cancelled']),
  /** Null when nobody decided. */
  decidedBy: decider(['telegram', 'api']).nullable(),
  /** Time of the settlement, in seconds since 1970; `nbf` is the same, and `exp` a day later. */
  iat: seconds,
  nbf: seconds,
  exp: seconds,
  /** Version of the rules that derive claims from an approval. */
  bindingVersion: z.literal(1),
});

const version2 = version1.extend({
  /** The API key that asked, as it was authenticated. The `agentId` is only what the caller calls itself. */
  keyId: z.string(),
  /** Owner of that key when it asked; null: it had none. */
  keyOwner: z.string().nullable(),
  /** The policy version that judged the request; null: none was active. */
  policyVersion: z.string().nullable(),
  /** Ids of the rules that allowed it, denied it, or asked for a person. */
  rules: z.array(z.string()),
  decidedBy: decider(ACTOR_KINDS).nullable(),
  /** The grant that approved it; missing where none did. */
  grantId: z.uuid().optional(),
  /** The person who made that grant. */
  grantedBy: decider(ACTOR_KINDS).optional(),
  /** Digest of the answers to a question; missing where none was answered. */
  answersDigest: digest.optional(),
  /** The people who decided so, where several had to. */
  decisions: z
    .array(
      z.strictObject({
        by: decider(ACTOR_KINDS),
        /** Time in seconds since 1970. */
        at: seconds,
        displayDigest: digest.nullable(),
        /** The reason of this person, where the policy demands one. */
        reason: z.string().optional(),
      }),
    )
    .optional(),
  /** The reason of the decision, where the policy demands one. */
  reason: z.string().optional(),
  /** Signatures of the passkeys of those who decided, each over this very decision; missing where none has signed. */
  assertions: z
    .array(
      z.strictObject({
        statement: z.strictObject({
          purpose: z.literal(DECISION),
          approvalId: z.uuid(),
          inputDigest: digest,
          displayDigest: digest,
          verdict: z.enum(['approved', 'rejected']),
          reason: z.string().nullable(),
          policyVersion: z.string().nullable(),
          person: z.string(),
          rpId: z.string(),
          nonce: z.string(),
        }),
        credentialId: z.string(),
        authenticatorData: z.string(),
        clientDataJSON: z.string(),
        signature: z.string(),
      }),
    )
    .optional(),
  bindingVersion: z.literal(2),
});

/** Claims of both versions: the service signs version 2, and receipts of version 1 stay evidence. */
export const receiptClaimsSchema = z
  .discriminatedUnion('bindingVersion', [version1, version2])
  .refine(({ aud, agentId }) => aud === agentId, 'is for another agent than it names')
  .refine(
    ({ iat, nbf, exp }) => nbf === iat && exp === iat + RECEIPT_USE_SECONDS,
    'has times that do not belong together',
  );

/** The claims of a receipt (security.md). */
export type ReceiptClaims = z.infer<typeof receiptClaimsSchema>;

/** One of several decisions that settled an approval together. */
export interface CountedDecision {
  readonly by: NamedActor;
  readonly at: Date;
  readonly displayDigest: string | null;
  readonly reason: string | null;
}

/** A settled approval, as far as its receipt tells of it. */
export interface ReceiptSubject extends Asker {
  readonly id: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly toolName: string;
  readonly inputDigest: string;
  readonly status: ReceiptClaims['status'];
  readonly settledAt: Date;
  /** The verdict of the policy; null: none was active. */
  readonly policy: Pick<PolicyVerdict, 'version' | 'rules' | 'needsReason'> | null;
  /** Missing when nobody decided. */
  readonly decision?: { readonly by: Actor; readonly reason: string | null; readonly answers?: Answers };
  /** The decisions of people that count, where several had to decide. */
  readonly counted?: readonly CountedDecision[];
  /** The signatures of passkeys over the decisions that count. */
  readonly signed?: readonly SignedDecision[];
  /** The grant that approved it. */
  readonly grant?: { readonly id: string; readonly by: NamedActor };
}

/** `jti`: a new UUID. `displayDigest`: digest of the shown card, if there was one. */
export function receiptClaims(
  approval: ReceiptSubject,
  displayDigest: string | null,
  jti: string,
): z.infer<typeof version2> {
  const {
    id,
    keyId,
    owner,
    agentId,
    sessionId,
    toolName,
    inputDigest,
    status,
    settledAt,
    policy,
    grant,
    counted,
    signed = [],
  } = approval;
  const iat = Math.floor(settledAt.getTime() / 1000);
  const by = approval.decision?.by ?? null;
  return {
    iss: RECEIPT_ISSUER,
    aud: agentId,
    jti,
    approvalId: id,
    agentId,
    sessionId,
    toolName,
    inputDigest,
    displayDigest,
    status,
    decidedBy: by && nameActor(by),
    iat,
    nbf: iat,
    exp: iat + RECEIPT_USE_SECONDS,
    bindingVersion: 2,
    keyId,
    keyOwner: owner,
    policyVersion: policy?.version ?? null,
    rules: [...(policy?.rules ?? [])],
    ...(approval.decision?.answers && { answersDigest: answersDigest(approval.decision.answers) }),
    ...(counted && { decisions: counted.map((each) => decisionClaims(each, policy?.needsReason)) }),
    ...(policy?.needsReason && reasonClaim(approval.decision)),
    ...(signed.length > 0 && { assertions: [...signed] }),
    ...(grant && { grantId: grant.id, grantedBy: grant.by }),
  };
}

function decisionClaims({ by, at, displayDigest, reason }: CountedDecision, needsReason = false) {
  return {
    by,
    at: Math.floor(at.getTime() / 1000),
    displayDigest,
    ...(needsReason && reasonClaim({ reason })),
  };
}

const reasonClaim = (decision: { readonly reason: string | null } | undefined) =>
  decision?.reason ? { reason: decision.reason } : {};
