import { Injectable } from '@nestjs/common';
import { ConsoleAdmins } from '../access/console-admins';
import { isOidcAccount, type Identity } from '../access/identity';
import { ADMINS } from '../kernel/admins';
import { ActivePolicy } from './active-policy';

/**
 * The people whom the active policy puts into the group `admins`, in the console. Not in a session that an OpenID provider
 * opened: whoever runs the provider could sign in as each of them, and take `via: console` out of the policy.
 */
@Injectable()
export class PolicyAdmins extends ConsoleAdmins {
  constructor(private readonly policy: ActivePolicy) {
    super();
  }

  includes({ channel, keyId, owner }: Pick<Identity, 'channel' | 'keyId' | 'owner'>): boolean {
    return (
      channel === 'console' &&
      !isOidcAccount(keyId) &&
      this.policy.people?.groupsOf(owner).includes(ADMINS) === true
    );
  }
}
