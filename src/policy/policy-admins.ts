import { Injectable } from '@nestjs/common';
import { ConsoleAdmins } from '../access/console-admins';
import type { Identity } from '../access/identity';
import { ActivePolicy } from './active-policy';

/** The group whose people are admins in the console; source: interface.md. */
const ADMINS = 'admins';

/** The people whom the active policy puts into the group `admins`, in the console. */
@Injectable()
export class PolicyAdmins extends ConsoleAdmins {
  constructor(private readonly policy: ActivePolicy) {
    super();
  }

  includes({ channel, owner }: Pick<Identity, 'channel' | 'owner'>): boolean {
    return channel === 'console' && this.policy.people?.groupsOf(owner).includes(ADMINS) === true;
  }
}
