import { z } from 'zod';
import { callService, type Progress, type ServiceDoor } from '../../agent-side/client/service-call';

const applied = z.object({ version: z.string(), appliedAt: z.string(), by: z.string() });
const active = z.object({
  version: z.string().nullable(),
  source: z.string().nullable(),
  appliedAt: z.string().nullable(),
  by: z.string().nullable(),
  stopped: z.object({ at: z.string(), by: z.string() }).nullable(),
});
const stored = z.object({ version: z.string(), source: z.string(), createdAt: z.string() });
const history = z.object({
  items: z.array(z.object({ version: z.string(), cause: z.string(), by: z.string(), appliedAt: z.string() })),
});
const proposal = z.object({
  id: z.string(),
  version: z.string(),
  replaces: z.string().nullable(),
  proposedBy: z.string(),
  createdAt: z.string(),
});
const stop = z.object({ stopped: z.boolean() });
const ruling = z.object({ decision: z.enum(['allow', 'deny', 'ask']), rules: z.array(z.string()) });
const verdict = ruling.extend({
  class: z.string().nullable(),
  doubt: z.string().nullable(),
  version: z.string().nullable(),
  tokens: z.array(z.string()).optional(),
  say: z.string().nullable().optional(),
  shadow: ruling.nullish(),
});
const replay = z.object({
  requests: z.number(),
  allow: z.number(),
  deny: z.number(),
  ask: z.number(),
  byRule: z.record(z.string(), z.number()),
  regressions: z.array(z.object({ approvalId: z.string(), rule: z.string(), rejectedBy: z.string() })),
});

const suggestions = z.object({
  approvals: z.number(),
  allowedBefore: z.number(),
  suggestions: z.array(z.object({ rule: z.looseObject({ id: z.string() }), saves: z.number() })),
});

export type Applied = z.infer<typeof applied>;
export type Replay = z.infer<typeof replay>;
export type EvaluatedVerdict = z.infer<typeof verdict>;

/** Time for the replay of a long history. */
const REPLAY_WITHIN_MS = 120_000;

/** The headers that name the version to be replaced. */
const replacing = (version: string | null): Readonly<Record<string, string>> =>
  version === null ? { 'if-none-match': '*' } : { 'if-match': version };

export interface ChangeOptions {
  /** Change the policy although `POLICY_FILE` manages it. */
  readonly override?: boolean | undefined;
  /** The reason for the change, for the operators. */
  readonly comment?: string | undefined;
}

function queryOf({ override, comment }: ChangeOptions): string {
  const query = new URLSearchParams({
    ...(override === true && { override: 'true' }),
    ...(comment !== undefined && { comment }),
  });
  return query.toString();
}

/** The policy routes of the service, which need a key of an operator or an admin. */
export class PolicyService {
  constructor(private readonly door: ServiceDoor) {}

  active() {
    return callService(this.door, { method: 'GET', path: '/api/policy' }, active);
  }

  version(version: string) {
    return callService(this.door, { method: 'GET', path: `/api/policy/versions/${version}` }, stored);
  }

  history() {
    return callService(this.door, { method: 'GET', path: '/api/policy/versions' }, history);
  }

  /** @param replaces the version that must be active; null: none may be */
  apply(document: string, replaces: string | null, how: ChangeOptions): Promise<Applied> {
    const call = {
      method: 'PUT',
      path: `/api/policy?${queryOf(how)}`,
      document,
      headers: replacing(replaces),
    } as const;
    return callService(this.door, call, applied);
  }

  rollback(version: string, replaces: string | null, how: ChangeOptions): Promise<Applied> {
    const headers = replacing(replaces);
    const call = {
      method: 'POST',
      path: `/api/policy/rollback?${queryOf(how)}`,
      body: { version },
      headers,
    } as const;
    return callService(this.door, call, applied);
  }

  propose(document: string, replaces: string | null, { comment }: Pick<ChangeOptions, 'comment'>) {
    const headers = replacing(replaces);
    const path = `/api/policy/proposals?${queryOf({ comment })}`;
    const call = { method: 'POST', path, document, headers } as const;
    return callService(this.door, call, proposal);
  }

  proposals() {
    const items = z.object({ items: z.array(proposal) });
    return callService(this.door, { method: 'GET', path: '/api/policy/proposals' }, items);
  }

  approve(id: string, override: boolean): Promise<Applied> {
    const path = `/api/policy/proposals/${encodeURIComponent(id)}/approve?override=${override}`;
    return callService(this.door, { method: 'POST', path }, applied);
  }

  /** @param since such as `7d`, as the service reads it. @param onProgress null: nobody sees it */
  test(document: string, since: string, onProgress: ((progress: Progress) => void) | null): Promise<Replay> {
    const path = `/api/policy/test?since=${encodeURIComponent(since)}`;
    const call = {
      method: 'POST',
      path,
      document,
      heldMs: REPLAY_WITHIN_MS,
      onProgress: onProgress ?? undefined,
    } as const;
    return callService(this.door, call, replay);
  }

  suggestions(since: string) {
    const path = `/api/policy/suggestions?since=${encodeURIComponent(since)}`;
    return callService(this.door, { method: 'GET', path, heldMs: REPLAY_WITHIN_MS }, suggestions);
  }

  evaluate(request: object): Promise<EvaluatedVerdict> {
    return callService(this.door, { method: 'POST', path: '/api/policy/evaluate', body: request }, verdict);
  }

  stop() {
    return callService(this.door, { method: 'POST', path: '/api/policy/stop' }, stop);
  }

  resume() {
    return callService(this.door, { method: 'POST', path: '/api/policy/resume' }, stop);
  }
}
