import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createZodDto } from 'nestjs-zod';
import { z } from 'zod';
import { perMinute, take } from '../../access/process-rate-limits';
import { isSecure } from '../../access/sessions/console-origin';
import { PROVIDER_SIGN_IN, writeCookie } from '../../access/sessions/session-cookie';
import { Sessions } from '../../access/sessions/sessions';
import { sourceOf } from '../../access/source';
import { Allow } from '../../http/allow';
import { OidcSignIn } from '../../people/oidc/oidc-sign-in';

/** Sign-ins that one source begins within a minute: each is a row of the database. */
const BEGINNINGS_PER_MINUTE = 60;

class OidcStartView extends createZodDto(
  z.strictObject({ url: z.string().meta({ description: 'Address of the provider for the browser.' }) }),
) {}

/** The way to the OpenID provider. The way back is `GET /console/oidc/callback`, which serves the page. */
@ApiTags('console')
@Controller('console/oidc')
export class OidcController {
  private readonly beginnings = perMinute(BEGINNINGS_PER_MINUTE);

  constructor(
    private readonly provider: OidcSignIn,
    private readonly sessions: Sessions,
  ) {}

  @Post('sign-in')
  @HttpCode(200)
  @Allow('anyone')
  @ApiOperation({
    summary: 'Begin to sign in at the OpenID provider',
    description:
      'Sets a cookie that binds the sign-in to this browser. The provider sends the browser back to ' +
      '`/console/oidc/callback`; send the query of that address to `POST /console/session` within ten minutes.',
  })
  @ApiOkResponse({ type: OidcStartView })
  async begin(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const origin = this.sessions.requireConsole(request);
    await take(this.beginnings, sourceOf(request.ip), 'sign-ins');
    const { url, browser } = await this.provider.begin(origin);
    void reply.header('set-cookie', writeCookie(PROVIDER_SIGN_IN, browser, isSecure(origin)));
    return { url };
  }
}
