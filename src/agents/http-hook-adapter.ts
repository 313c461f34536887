import type { AgentAdapter, Refusal, SpottedBody } from './adapter';
import { failure } from './answers';
import { NO_DECISION, type HttpHook } from './http-hook';
import { hookController } from './http-hook.controller';
import { textOf } from './member-spotter';

/** The name of the event; undefined if it is missing, is not a string, or has two values. */
function eventNameIn({ isList, objects: [object] }: SpottedBody, member: string): string | undefined {
  const event = isList ? undefined : object?.[member];
  return (event?.isAmbiguous === false ? textOf(event) : null) ?? undefined;
}

/** The adapter of a hook. Agents take an HTTP error of their hook for no decision, so a refused call gets a denial. */
export function httpHook<Event>(hook: HttpHook<Event>): AgentAdapter {
  const { eventMember, callMember, gating, reply, reportTaker } = hook;
  return {
    ...hook,
    reports: reportTaker !== null,
    members: [eventMember, callMember].flatMap((member) => (member === null ? [] : [[member]])),
    refuse(body, reason, isAddressed): Refusal | null {
      const name = eventMember === null ? undefined : eventNameIn(body, eventMember);
      const isCall = callMember === null || body.objects.some((object) => object[callMember] !== undefined);
      const event = gating(name, isCall);
      if (!isAddressed && (name === undefined || event === null)) return null;
      const answer = event === null ? NO_DECISION : reply(event, { answer: failure(reason), ending: null });
      return { calls: 1, answer };
    },
    controller: hookController(hook),
    providers: reportTaker === null ? [] : [reportTaker],
  };
}
