import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { Caller } from '../../access/access.guard';
import { ConsoleAdmins } from '../../access/console-admins';
import { Gatekeeper } from '../../access/gatekeeper';
import { accountOf, actorOf, type Identity } from '../../access/identity';
import { personOf } from '../../access/known-person';
import { perMinute, take } from '../../access/process-rate-limits';
import { CONSOLE_HEADER } from '../../access/sessions/console-origin';
import { Sessions } from '../../access/sessions/sessions';
import { sourceOf } from '../../access/source';
import { Allow } from '../../http/allow';
import { auditName } from '../../kernel/actor';
import { DomainError } from '../../kernel/errors';
import { Lanes } from '../../outbox/lanes';
import { Passkeys, type EnrolmentStart } from '../../people/passkeys/passkeys';
import { relyingPartyAt, type RelyingParty } from '../../people/passkeys/relying-party';
import {
  assertionSchema,
  newCredentialSchema,
  nonceSchema,
  registrationOf,
  responseOf,
} from '../../people/passkeys/webauthn-shapes';

/** Challenges of one source within a minute: each is a row of the database. */
const CHALLENGES_PER_MINUTE = 60;

class EnrolmentStartDto extends createZodDto(
  z.strictObject({
    invite: z
      .string()
      .regex(/^[\w-]{43}$/, 'must be the token of an invitation')
      .optional()
      .meta({ description: 'Token of an invitation.' }),
    consent: assertionSchema.extend({ nonce: nonceSchema }).optional().meta({
      description:
        'Without an invitation: the signature of a passkey of the signed-in person, for which `POST /console/passkeys/consents` began.',
    }),
  }),
) {}

class ConsentStartView extends createZodDto(
  z.strictObject({
    person: z.string(),
    rpId: z.string(),
    nonce: z.string(),
    passkeys: z.array(z.string()).meta({ description: 'Credential ids of the person.' }),
  }),
) {}

class EnrolmentStartView extends createZodDto(
  z.strictObject({
    person: z.string(),
    rpId: z.string(),
    nonce: z.string(),
    existing: z.array(z.string()).meta({ description: 'Credential ids that the person has already.' }),
  }),
) {}

class EnrolmentDto extends createZodDto(
  z.strictObject({ nonce: nonceSchema, credential: newCredentialSchema }),
) {}

class SignInStartView extends createZodDto(z.strictObject({ rpId: z.string(), nonce: z.string() })) {}

class InviteDto extends createZodDto(
  z.strictObject({
    person: z.string().min(1, 'must not be empty').max(100, 'must have at most 100 characters'),
  }),
) {}

class InviteView extends createZodDto(z.strictObject({ token: z.string() })) {}

class PasskeyIdDto extends createZodDto(
  z.strictObject({ id: z.string().regex(/^[\w-]{1,1400}$/, 'must be the id of a passkey') }),
) {}

class PasskeyListView extends createZodDto(
  z.strictObject({
    items: z.array(
      z.strictObject({
        id: z.string().meta({ description: 'The credential id, in Base64url.' }),
        person: z.string(),
        createdAt: z.iso.datetime(),
        usedAt: z.iso.datetime().nullable(),
        revokedAt: z.iso.datetime().nullable(),
      }),
    ),
  }),
) {}

const INVITE_REFUSED =
  'This invitation was used or is too old. Ask for a new one: countersign people invite NAME.';

/** Passkeys of people: made from an invitation, or with another passkey of the same person. */
@ApiTags('console')
@Controller('console/passkeys')
export class PasskeysController {
  private readonly challenges = perMinute(CHALLENGES_PER_MINUTE);

  constructor(
    private readonly passkeys: Passkeys,
    private readonly sessions: Sessions,
    private readonly gatekeeper: Gatekeeper,
    private readonly lanes: Lanes,
    private readonly admins: ConsoleAdmins,
  ) {}

  @Post('sign-in')
  @HttpCode(200)
  @Allow('anyone')
  @ApiOperation({
    summary: 'Begin to sign in with a passkey',
    description:
      'The challenge is the SHA-256 of the RFC 8785 form of `{purpose: "countersign:sign-in", rpId, nonce}`; ' +
      'send the signature to `POST /console/session` within five minutes.',
  })
  @ApiOkResponse({ type: SignInStartView })
  async beginSignIn(@Req() request: FastifyRequest) {
    const at = relyingPartyAt(this.sessions.requireConsole(request));
    await take(this.challenges, sourceOf(request.ip), 'challenges');
    const { rpId, nonce } = await this.passkeys.beginSignIn(at);
    return { rpId, nonce };
  }

  @Post('consents')
  @HttpCode(200)
  @Allow('anyone')
  @ApiOperation({
    summary: 'Begin to consent to another passkey, signed in with one',
    description:
      'The challenge is the SHA-256 of the RFC 8785 form of `{purpose: "countersign:enrolment-consent", person, rpId, nonce}`; ' +
      'send the signature to `POST /console/passkeys/enrolments` within five minutes.',
  })
  @ApiOkResponse({ type: ConsentStartView })
  async beginConsent(@Req() request: FastifyRequest) {
    const at = relyingPartyAt(this.sessions.requireConsole(request));
    await take(this.challenges, sourceOf(request.ip), 'challenges');
    const person = await this.signedInPerson(request);
    const { rpId, nonce, existing } = await this.passkeys.beginConsent(person, at);
    return { person, rpId, nonce, passkeys: existing };
  }

  @Post('enrolments')
  @HttpCode(200)
  @Allow('anyone')
  @ApiOperation({
    summary: 'Begin to make a passkey: use an invitation up, or consent with a passkey',
    description:
      'The challenge is the SHA-256 of the RFC 8785 form of `{purpose: "countersign:enrolment", person, rpId, nonce}`.',
  })
  @ApiOkResponse({ type: EnrolmentStartView })
  async begin(@Body() { invite, consent }: EnrolmentStartDto, @Req() request: FastifyRequest) {
    const at = relyingPartyAt(this.sessions.requireConsole(request));
    await take(this.challenges, sourceOf(request.ip), 'challenges');
    const started = await (invite === undefined
      ? this.beginAnother(request, consent, at)
      : this.passkeys.beginByInvite(invite, at));
    if (started === null) return this.turnAway(request, INVITE_REFUSED);
    const { statement, existing } = started;
    const { person, rpId, nonce } = statement;
    return { person, rpId, nonce, existing: [...existing] };
  }

  @Post()
  @HttpCode(204)
  @Allow('anyone')
  @ApiOperation({ summary: 'Store a new passkey, and sign in with it' })
  @ApiNoContentResponse()
  async enrol(
    @Body() { nonce, credential }: EnrolmentDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const at = relyingPartyAt(this.sessions.requireConsole(request));
    await take(this.challenges, sourceOf(request.ip), 'challenges');
    const made = await this.passkeys.enrol(nonce, registrationOf(credential), at, this.lanes.current);
    const opened = await this.sessions.signInByPasskey(request, made.passkeyId, made.person);
    void reply.header('set-cookie', opened.cookie).header(CONSOLE_HEADER, opened.pageSecret);
  }

  @Post('invites')
  @HttpCode(201)
  @Allow('operator')
  @ApiOperation({
    summary: 'Invite a person who lost their passkeys to another one',
    description:
      'Needs a session of a passkey of a person in the group `admins`, and invites none of that group. The page is `/console/#invite=TOKEN`, for 15 minutes.',
  })
  @ApiCreatedResponse({ type: InviteView })
  async invite(@Body() { person }: InviteDto, @Caller() caller: Identity) {
    if (caller.person === undefined)
      throw new DomainError('passkey.refused', 'Sign in with a passkey to invite another person.');
    if (personOf(person) === caller.person)
      throw new DomainError('passkey.refused', 'Add a passkey of your own without an invitation.');
    // The one who gets the link could make the passkey, and be that person.
    if (!this.admins.includes(caller))
      throw new DomainError(
        'passkey.refused',
        'Only a person in the group "admins" of the policy invites somebody.',
      );
    const invited = personOf(person);
    if (this.admins.includes({ channel: 'console', keyId: accountOf(invited), owner: invited }))
      throw new DomainError(
        'passkey.refused',
        'An admin is not invited: with the link, one admin could decide as two. Take them out of "admins" first.',
      );
    return { token: await this.passkeys.invite(person, auditName(actorOf(caller)), false) };
  }

  @Get()
  @Allow('operator')
  @ApiOperation({ summary: 'The passkeys of all people, also the removed ones' })
  @ApiOkResponse({ type: PasskeyListView })
  async list() {
    const items = (await this.passkeys.list()).map(({ id, person, createdAt, usedAt, revokedAt }) => ({
      id,
      person,
      createdAt: createdAt.toISOString(),
      usedAt: usedAt?.toISOString() ?? null,
      revokedAt: revokedAt?.toISOString() ?? null,
    }));
    return { items };
  }

  @Delete(':id')
  @HttpCode(204)
  @Allow('operator')
  @ApiOperation({ summary: 'Remove a passkey, and end its sessions' })
  @ApiNoContentResponse()
  async revoke(@Param() { id }: PasskeyIdDto, @Caller() caller: Identity): Promise<void> {
    const passkey = (await this.passkeys.list()).find((each) => each.id === id);
    const isOwn = passkey !== undefined && passkey.person === caller.person;
    if (!isOwn && !this.admins.includes(caller))
      throw new DomainError(
        'passkey.refused',
        'Only its person or a person in the group "admins" removes a passkey; or countersign people remove-passkey.',
      );
    await this.passkeys.revoke(id, auditName(actorOf(caller)), this.lanes.current);
  }

  /** A stolen session has no passkey, so the person signs that they want another one. */
  private async beginAnother(
    request: FastifyRequest,
    consent: EnrolmentStartDto['consent'],
    at: RelyingParty,
  ): Promise<EnrolmentStart> {
    const person = await this.signedInPerson(request);
    if (consent !== undefined) {
      const { nonce, ...assertion } = consent;
      const started = await this.passkeys.beginAnother(
        person,
        { nonce, response: responseOf(assertion) },
        at,
      );
      if (started) return started;
      await this.sessions.countFailure(request);
    }
    throw new DomainError(
      'passkey.refused',
      'Sign with a passkey that you have that you want another one; or an admin invites you.',
    );
  }

  private async signedInPerson(request: FastifyRequest): Promise<string> {
    const identity = await this.sessions.identify(request);
    if (identity?.person !== undefined) return identity.person;
    const attempt = { method: 'POST', route: '/console/passkeys/enrolments' };
    const refusal = new DomainError(
      'access.unauthenticated',
      'Sign in with a passkey to add another one. The first one needs an invitation.',
    );
    return this.gatekeeper.turnAwayStranger(request.ip, attempt, refusal);
  }

  private async turnAway(request: FastifyRequest, advice: string): Promise<never> {
    await this.sessions.countFailure(request);
    const attempt = { method: 'POST', route: '/console/passkeys/enrolments' };
    const refusal = new DomainError('access.unauthenticated', advice);
    return this.gatekeeper.turnAwayStranger(request.ip, attempt, refusal);
  }
}
