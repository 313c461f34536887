import {
  createParamDecorator,
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { AUDIENCE, type Audience } from '../http/allow';
import { ConsoleAdmins } from './console-admins';
import type { Identity } from './identity';
import { Gatekeeper } from './gatekeeper';
import { KeyRing } from './key-ring';
import { Sessions } from './sessions/sessions';
import { CONFIG, type Config } from '../config/environment';
import { DomainError } from '../kernel/errors';

const rolesIn = (audience: readonly Audience[] = []): Audience[] =>
  audience.filter((each) => each !== 'scraper');

/** The API key of a request; not verified. */
export function presentedKey({ headers }: Pick<FastifyRequest, 'headers'>): string | null {
  return /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}

interface Identified {
  identity?: Identity;
}

/** The identity that the guard found; not on routes for anyone. */
export function callerOf(request: object): Identity {
  const { identity } = request as Identified;
  if (!identity) throw new Error('route without a guard asks for its caller');
  return identity;
}

export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Identity =>
  callerOf(context.switchToHttp().getRequest<object>()),
);

type Call = FastifyRequest & Identified;

const attemptOf = ({ method, routeOptions }: Call) => ({ method, route: routeOptions.url ?? '' });

/** Checks the bearer key or the console's session, identity and role; denies by default. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly keys: KeyRing,
    private readonly sessions: Sessions,
    private readonly gatekeeper: Gatekeeper,
    private readonly admins: ConsoleAdmins,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (context.getType<string>() !== 'http') return true;
    const roles = this.reflector.getAllAndOverride<readonly Audience[] | undefined>(AUDIENCE, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (roles?.includes('anyone')) return true;
    if (roles?.includes('scraper') && (this.config.metrics.public || this.config.http.loopback)) return true;
    const call = context.switchToHttp().getRequest<Call>();
    const key = presentedKey(call);
    const identity = key === null ? this.identifySession(call) : this.keys.identify(key);
    return identity instanceof Promise
      ? identity.then((found) => this.admit(call, found, roles))
      : this.admit(call, identity, roles);
  }

  /** A program sends no cookie, and waits for nothing here. */
  private identifySession(call: Call): Identity | null | Promise<Identity | null> {
    if (!this.sessions.isPresented(call)) return null;
    return this.sessions.identify(call).catch((error: unknown) => {
      if (!(error instanceof DomainError) || error.code !== 'access.cross-site') throw error;
      return this.gatekeeper.turnAwayStranger(call.ip, attemptOf(call), error);
    });
  }

  private admit(
    call: Call,
    identity: Identity | null,
    roles: readonly Audience[] | undefined,
  ): boolean | Promise<never> {
    if (!identity) {
      const advice = 'Send a valid API key: "Authorization: Bearer KEY".';
      const refusal = new DomainError('access.unauthenticated', advice);
      return this.gatekeeper.turnAwayStranger(call.ip, attemptOf(call), refusal);
    }
    const mayAct =
      roles?.includes(identity.role) || (roles?.includes('admin') && this.admins.includes(identity));
    if (!mayAct) {
      const { id } = (call.params ?? {}) as { id?: unknown };
      return this.gatekeeper.turnAwayHolder(identity, attemptOf(call), id, rolesIn(roles));
    }
    call.identity = identity;
    return true;
  }
}
