import type { ZodError } from 'zod';
import { inputDigest, type BoundInput } from '../kernel/canonical-json';
import { answersDigest, type Answers } from '../kernel/questions';
import type { KeySet } from './key-set';
import { RECEIPT_TYPE, receiptClaimsSchema, type ReceiptClaims } from './receipt-claims';
import { SignatureRefused, verifySignature } from './verify-signature';

/** Tolerated lead of the service's clock over this machine's; `exp` has no tolerance. */
const CLOCK_TOLERANCE_SECONDS = 60;

/** The action that a connector is about to run, from its own knowledge. It takes nothing from the answer. */
export interface ExpectedUse {
  readonly approvalId: string;
  readonly agentId: string;
  readonly sessionId: string;
  /** The exact call that would run; its digest is computed here. */
  readonly action: BoundInput;
  /** The answers with which it would run; missing without any. */
  readonly answers?: Answers;
}

/** The receipt does not allow the expected action. The tool must not run. */
export class ReceiptRefused extends Error {
  override readonly name = 'ReceiptRefused';
}

/** The signature is genuine, so a claim that is unknown here comes most likely from a later version. */
function describeFaults({ issues }: ZodError): string {
  const fault = issues.find(({ code }) => code === 'custom');
  if (fault) return `it ${fault.message}`;
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys : [issue.path.join('.')],
  );
  return `this version of Countersign does not know its ${unknown.join(', ')}; upgrade Countersign where you verify it`;
}

/**
 * Reads the claims of a receipt of any age: genuine, signed by one of the keys while that was in use. For evidence
 * only: it allows nothing by itself, see {@link verifyReceipt}.
 *
 * @throws ReceiptRefused when it is not a receipt of ours.
 */
export async function readReceipt(receipt: string, keys: KeySet): Promise<ReceiptClaims> {
  try {
    const parsed = receiptClaimsSchema.safeParse(await verifySignature(receipt, RECEIPT_TYPE, keys));
    if (!parsed.success) throw new SignatureRefused(describeFaults(parsed.error));
    return parsed.data;
  } catch (error) {
    if (!(error instanceof SignatureRefused)) throw error;
    throw new ReceiptRefused(`The receipt is refused: ${error.message}.`, { cause: error });
  }
}

/**
 * Verifies a receipt for a connector, before a tool runs. The receipt must be genuine, approved, for this request,
 * agent, session and exactly this action, and not too old. Run the tool only after it resolved, and once for each
 * receipt ({@link UsedReceipts}).
 *
 * @param keys of `/.well-known/jwks.json`; fetch them again, once, when the key is unknown: it may be new.
 * @throws ReceiptRefused when any condition fails.
 */
export async function verifyReceipt(
  receipt: string,
  keys: KeySet,
  expected: ExpectedUse,
  now: Date,
): Promise<ReceiptClaims> {
  const claims = await readReceipt(receipt, keys);
  const nowSeconds = now.getTime() / 1000;
  const faults: [boolean, string][] = [
    [claims.status !== 'approved', `it says ${claims.status}`],
    [claims.approvalId !== expected.approvalId, 'it is for another request'],
    [claims.agentId !== expected.agentId, 'it is for another agent'],
    [claims.sessionId !== expected.sessionId, 'it is for another session'],
    [claims.toolName !== expected.action.toolName, 'it is for another tool'],
    [claims.inputDigest !== inputDigest(expected.action), 'it is for another action'],
    [answersIn(claims) !== expectedAnswers(expected), 'it is for other answers'],
    [claims.nbf > nowSeconds + CLOCK_TOLERANCE_SECONDS, 'it is not valid yet'],
    [claims.exp <= nowSeconds, 'it is too old to be acted on'],
  ];
  const [, fault] = faults.find(([holds]) => holds) ?? [];
  if (fault !== undefined) throw new ReceiptRefused(`The receipt is refused: ${fault}.`);
  return claims;
}

const answersIn = (claims: ReceiptClaims): string | null =>
  ('answersDigest' in claims ? claims.answersDigest : undefined) ?? null;

const expectedAnswers = ({ answers }: ExpectedUse): string | null =>
  answers ? answersDigest(answers) : null;

/** Remembers used receipts, for as long as they could be presented again. */
export class UsedReceipts {
  private readonly expiries = new Map<string, number>();

  /** @throws ReceiptRefused the second time. */
  use({ jti, exp }: Pick<ReceiptClaims, 'jti' | 'exp'>, now: Date): void {
    for (const [used, until] of this.expiries) if (until <= now.getTime() / 1000) this.expiries.delete(used);
    if (this.expiries.has(jti)) throw new ReceiptRefused('The receipt is refused: it was used before.');
    this.expiries.set(jti, exp);
  }
}
