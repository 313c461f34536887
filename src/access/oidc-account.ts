/** An account at the OpenID provider, as a verified ID token names it. */
export interface OidcAccount {
  /** `sub`, which the provider never gives to another account. */
  readonly subject: string;
  /** In lower case; null: there is none, or the provider has not verified it. */
  readonly email: string | null;
}

/**
 * True if a row of `people` has this account. Where it names a subject, the e-mail alone does not count: a provider may give an
 * address to somebody else.
 */
const HAS_ACCOUNT = (subject: string, email: string): string =>
  `(named.subject = ${subject} or (named.subject is null and named.email = ${email}))`;

const PEOPLE = 'policy_state active join people named on named.version = active.active_version';

/** The people of the active policy who have an account. @param subject @param email parameters of type text */
export const PEOPLE_WITH_ACCOUNT = (subject: string, email: string): string =>
  `select named.name as person from ${PEOPLE} where ${HAS_ACCOUNT(subject, email)}`;

/** True if the active policy still gives the account of a session to its person. */
export const HOLDS_ACCOUNT = (session: string): string => `exists (select from ${PEOPLE}
    where named.name = ${session}.oidc_person and ${HAS_ACCOUNT(`${session}.oidc_subject`, `${session}.oidc_email`)})`;
