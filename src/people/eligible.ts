/**
 * Name of the person of the active policy who may decide a row of `approvals`; null: nobody. Somebody whose own key asked
 * is not eligible, nor is a revoked key, nor a person outside the groups that the row requires.
 */
export const ELIGIBLE_PERSON = (kind: string, id: string): string =>
  `eligible_person(approvals.owner, approvals.required, ${kind}, ${id})`;

/** Everybody whom the service lets in may decide, unless the active policy names people or the row requires some. */
export const MAY_DECIDE = (kind: string, id: string): string => `(${ELIGIBLE_PERSON(kind, id)} is not null
      or (approvals.required is null
        and not exists (select from policy_state s join people p on p.version = s.active_version)))`;

/**
 * Id of the passkey that made a stored signature; null: of none. Inside a JSON string each quote is escaped, so that only the
 * member itself matches. PostgreSQL would read no member where the reason has U+0000.
 */
export const SIGNER = (signed: string): string =>
  `substring(${signed} from '"credentialId":"([A-Za-z0-9_-]+)"')`;
