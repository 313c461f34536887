import { Body, Controller, Delete, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
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
import { Caller, presentedKey } from '../../access/access.guard';
import { Gatekeeper } from '../../access/gatekeeper';
import type { Identity } from '../../access/identity';
import { CONSOLE_HEADER, isSecure } from '../../access/sessions/console-origin';
import { PROVIDER_SIGN_IN, readCookie, writeCookie } from '../../access/sessions/session-cookie';
import { Sessions } from '../../access/sessions/sessions';
import { Allow } from '../../http/allow';
import { DomainError, InvalidInput } from '../../kernel/errors';
import { nullableText } from '../../kernel/nullable-text';
import { OidcSignIn } from '../../people/oidc/oidc-sign-in';
import { Passkeys } from '../../people/passkeys/passkeys';
import { relyingPartyAt } from '../../people/passkeys/relying-party';
import { assertionSchema, nonceSchema, responseOf } from '../../people/passkeys/webauthn-shapes';

class SignInDto extends createZodDto(
  z.strictObject({
    key: z.string().min(1, 'must not be empty').max(500, 'must have at most 500 characters').optional(),
    link: z
      .string()
      .regex(/^[\w-]{43}$/, 'must be the token of a sign-in link')
      .optional(),
    passkey: z.strictObject({ nonce: nonceSchema, assertion: assertionSchema }).optional(),
    oidc: z
      .strictObject({
        answer: z
          .string()
          .max(8192, 'must have at most 8192 characters')
          .meta({ description: 'Query of the address to which the OpenID provider has sent the browser.' }),
      })
      .optional(),
  }),
) {}

class SessionView extends createZodDto(
  z.strictObject({
    operator: z
      .strictObject({
        key: z.string(),
        owner: nullableText('Owner of the key.'),
        person: nullableText('Person who signed in with a passkey; null: with a key.'),
      })
      .nullable()
      .meta({ description: 'Holder of the session; null: not signed in.' }),
    provider: nullableText('Host of the OpenID provider at which people sign in; null: there is none.'),
  }),
) {}

class LinkView extends createZodDto(z.strictObject({ token: z.string() })) {}

/** Refusals that are audited as those of a stranger. */
const REFUSALS: ReadonlySet<string> = new Set(['access.cross-site', 'oidc.refused']);

const REFUSED = {
  oidc: 'The sign-in provider has not signed you in.',
  key: 'This is not a valid operator key. Make one with "countersign keys add --role operator --name NAME".',
  passkey:
    'This passkey does not sign in here. It may be removed, or belong to somebody who is not known any more.',
  link: 'This link was used or is too old. Ask for a new one, or sign in with an operator key.',
};

const SECRET = {
  schema: { type: 'string' },
  description: 'Secret of the page. With the session, every call but GET and HEAD needs it in this header.',
} as const;

/** Sign-in at the console: a passkey, the OpenID provider, an operator's API key, pasted once, or a link that works once. */
@ApiTags('console')
@Controller('console')
export class SessionController {
  constructor(
    private readonly sessions: Sessions,
    private readonly passkeys: Passkeys,
    private readonly provider: OidcSignIn,
    private readonly gatekeeper: Gatekeeper,
  ) {}

  @Post('session')
  @HttpCode(204)
  @Allow('anyone')
  @ApiOperation({
    summary:
      'Sign in: exchange an operator key, a link’s token, a passkey’s signature or the answer of the OpenID provider for a session cookie',
  })
  @ApiNoContentResponse({ headers: { [CONSOLE_HEADER]: SECRET } })
  async signIn(
    @Body() body: SignInDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const attempt = { method: 'POST', route: '/console/session' };
    const refuse = (error: unknown) => {
      if (!(error instanceof DomainError) || !REFUSALS.has(error.code)) throw error;
      return this.gatekeeper.turnAwayStranger(request.ip, attempt, error);
    };
    const by = (['key', 'link', 'passkey', 'oidc'] as const).filter((each) => body[each] !== undefined);
    const [way] = by;
    if (way === undefined || by.length > 1)
      throw new InvalidInput([{ path: '', message: 'give one of key, link, passkey and oidc' }]);
    const opened = await (
      body.oidc ? this.openByProvider(request, body.oidc.answer, reply) : this.open(request, body)
    ).catch(refuse);
    if (opened !== null)
      return void reply.header('set-cookie', opened.cookie).header(CONSOLE_HEADER, opened.pageSecret);
    const reason = new DomainError('access.unauthenticated', REFUSED[way]);
    await this.gatekeeper.turnAwayStranger(request.ip, attempt, reason);
  }

  private async openByProvider(request: FastifyRequest, answer: string, reply: FastifyReply) {
    const origin = this.sessions.requireConsole(request);
    const browser = readCookie(PROVIDER_SIGN_IN, request.headers.cookie, isSecure(origin));
    void reply.header('set-cookie', writeCookie(PROVIDER_SIGN_IN, null, isSecure(origin)));
    const person = await this.provider.finish(answer, browser, origin).catch(async (error: unknown) => {
      if (error instanceof DomainError && error.code === 'oidc.refused')
        await this.sessions.countFailure(request);
      throw error;
    });
    return this.sessions.signInByProvider(request, person);
  }

  private async open(request: FastifyRequest, { key, link, passkey }: Omit<SignInDto, 'oidc'>) {
    if (key !== undefined) return this.sessions.signIn(request, key);
    if (link !== undefined) return this.sessions.signInByLink(request, link);
    if (passkey === undefined) return null;
    const at = relyingPartyAt(this.sessions.requireConsole(request));
    const signed = await this.passkeys.signIn(passkey.nonce, responseOf(passkey.assertion), at);
    return signed
      ? this.sessions.signInByPasskey(request, signed.passkeyId, signed.person)
      : this.sessions.countFailure(request);
  }

  @Get('session')
  @Allow('anyone')
  @ApiOperation({ summary: 'The holder of this page’s session' })
  @ApiOkResponse({ type: SessionView })
  async read(@Req() request: FastifyRequest) {
    const identity = await this.sessions.identifyPage(request);
    return {
      operator: identity && {
        key: identity.keyId,
        owner: identity.owner,
        person: identity.person ?? null,
      },
      provider: this.provider.provider,
    };
  }

  @Delete('session')
  @HttpCode(204)
  @Allow('anyone')
  @ApiOperation({ summary: 'Sign out' })
  @ApiNoContentResponse()
  signOut(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.end(request, reply, false);
  }

  @Delete('sessions')
  @HttpCode(204)
  @Allow('anyone')
  @ApiOperation({ summary: 'Sign out everywhere: end all sessions of the key, or of the person' })
  @ApiNoContentResponse()
  signOutEverywhere(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.end(request, reply, true);
  }

  @Post('links')
  @HttpCode(201)
  @Allow('operator')
  @ApiOperation({
    summary: 'Make a link that signs in at the console, once and within 15 minutes',
    description: 'Needs the API key itself, and not a session. The page is `/console/#link=TOKEN`.',
  })
  @ApiCreatedResponse({ type: LinkView })
  async makeLink(@Req() request: FastifyRequest, @Caller() caller: Identity) {
    const key = presentedKey(request);
    if (key === null)
      throw new DomainError(
        'access.forbidden',
        'A session makes no further sign-in: send the API key itself.',
      );
    return { token: await this.sessions.makeLink(key, caller) };
  }

  private async end(request: FastifyRequest, reply: FastifyReply, isEverywhere: boolean): Promise<void> {
    void reply.header('set-cookie', await this.sessions.signOut(request, isEverywhere));
  }
}
