import type { INestApplicationContext } from '@nestjs/common';
import { BodyParser } from './access/body-parser';
import { HostCheck } from './access/host-check';
import { CallsNeverFail } from './agents/calls-never-fail';
import { ConnectionLimit } from './http/connection-limit';
import { UnreadAnswers } from './http/unread-answers';
import { HttpMetrics } from './operations/metrics/http-metrics';
import { CallerTraces } from './tracing/caller-traces';

/** Parts that hook into every request of Fastify. Hooks of one kind run in this order. */
const HOOKS = [
  CallerTraces,
  UnreadAnswers,
  ConnectionLimit,
  HostCheck,
  BodyParser,
  CallsNeverFail,
  HttpMetrics,
] as const;

/** Call it between the creation of the application and its `init`: a hook does not see routes registered before it. */
export function attachHooks(app: INestApplicationContext): void {
  for (const hook of HOOKS) app.get(hook, { strict: false }).attach();
}
