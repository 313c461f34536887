import { Global, Module } from '@nestjs/common';
import { OidcSignIn } from './oidc/oidc-sign-in';
import { OidcStore } from './oidc/oidc-store';
import { PasskeyStore } from './passkeys/passkey-store';
import { Passkeys } from './passkeys/passkeys';

/** Global: the console signs people in, and approvals verify what they sign. */
@Global()
@Module({ providers: [PasskeyStore, Passkeys, OidcStore, OidcSignIn], exports: [Passkeys, OidcSignIn] })
export class PeopleModule {}
