import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Approval } from './api';

export type ReceiptCheck = 'good' | 'bad' | 'unable';

/** Verifies a receipt against the service's public keys, and that it is about this request and this action. */
export async function checkReceipt(approval: Approval, keys: JSONWebKeySet): Promise<ReceiptCheck> {
  const canVerify = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']).then(
    () => true,
    () => false,
  );
  if (!canVerify) return 'unable';
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
