import { describeFailure, discover } from '../../../people/oidc/openid-provider';
import { error, seen, skipped, warning, type Check } from '../check';

/** Number of people of the active policy who may sign in there. */
const NAMED = {
  name: 'doctor-oidc-named',
  text: `
  select count(*)::integer as people from policy_state join people on version = active_version
  where email is not null or subject is not null`,
};

/** Checks that the OpenID provider answers as the sign-in needs it, and that the policy names somebody. */
export const openidConnectCheck: Check = {
  name: 'openid-connect',
  async examine({ config: { oidc, console }, reached: { database } }) {
    if (oidc === null) return skipped('not configured here (OIDC_ISSUER is unset)');
    const findings = [];
    try {
      await discover(oidc);
    } catch (reason) {
      findings.push(
        error(
          `nobody can sign in at ${oidc.issuer}: ${describeFailure(reason)}`,
          'see that OIDC_ISSUER is exactly the "issuer" of its /.well-known/openid-configuration, and that this machine ' +
            'reaches it; docs/console.md, "OpenID Connect"',
        ),
      );
    }
    const [named] = database === null ? [] : await database.query<{ people: number }>(NAMED, []);
    if (named?.people === 0)
      findings.push(
        warning(
          'nobody can sign in there: the active policy names no person by `email` or `subject`',
          'add one of them to each person in "people" of the policy',
        ),
      );
    return seen(`${oidc.issuer}, back to ${console?.url ?? 'loopback'}/console/oidc/callback`, ...findings);
  },
};
