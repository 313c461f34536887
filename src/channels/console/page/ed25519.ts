/** True if this browser can verify Ed25519 signatures. */
export const canVerifyEd25519 = (): Promise<boolean> =>
  crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']).then(
    () => true,
    () => false,
  );
