import { z } from 'zod';
import { httpHook } from '../../src/agents/http-hook-adapter';
import { parsed } from '../../src/http/zod';

const bodySchema = z.object({ run: z.string(), args: z.record(z.string(), z.string()) });

/** The adapter of an agent that exists only in tests: it sends `{run, args}` and expects `{go, why}`. */
export const TINY = httpHook({
  agent: {
    name: 'Tiny',
    tool: (name) => (name === 'look' ? { effect: 'reads' } : name === 'make' ? { effect: 'acts' } : null),
    unguardedMode: () => null,
    subagent: () => null,
  },
  tools: new Map(),
  connector: 'tiny',
  route: 'tiny/gate',
  summary: 'A tool use in, go or not out',
  eventMember: null,
  callMember: null,
  gating: () => 'run' as const,
  question(body, { keyId }) {
    const { run, args } = parsed(bodySchema, body);
    const asked = { agentId: keyId, sessionId: 'tiny', toolName: run, toolInput: args };
    return { connector: 'tiny', body: { ...asked, metadata: {} }, identity: null };
  },
  reply: (_event, { answer }) => ({ go: answer.allow, why: answer.message }),
  reportTaker: null,
});
