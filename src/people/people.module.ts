import { Global, Module } from '@nestjs/common';
import { PasskeyStore } from './passkeys/passkey-store';
import { Passkeys } from './passkeys/passkeys';

/** Global: the console signs people in, and approvals verify what they sign. */
@Global()
@Module({ providers: [PasskeyStore, Passkeys], exports: [Passkeys] })
export class PeopleModule {}
