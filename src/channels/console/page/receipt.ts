import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Approval } from './api';
import { canVerifyEd25519 } from './ed25519';

export type ReceiptCheck = 'good' | 'bad' | 'unable';

/** Verifies a receipt against the service's public keys, and that it is about this request and this action. */
export async function checkReceipt(approval: Approval, keys: JSONWebKeySet): Promise<ReceiptCheck> {
  if (!(await canVerifyEd25519())) return 'unable';
  try {
    const options = { algorithms: ['EdDSA', 'Ed25519'] };
    const { payload, protectedHeader } = await compactVerify(
      approval.receipt ?? '',
      createLocalJWKSet(keys),
      options,
    );
    const claims = JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
    const isOfThis =
      claims.approvalId === approval.id &&
      claims.inputDigest === approval.inputDigest &&
      claims.status === approval.status;
    return isOfThis && protectedHeader.typ === 'countersign-receipt+jwt' ? 'good' : 'bad';
  } catch {
    return 'bad';
  }
}
