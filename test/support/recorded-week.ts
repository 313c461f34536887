import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../src/kernel/json';
import { evaluate } from '../../src/policy/evaluation/evaluate';
import type { CompiledPolicy } from '../../src/policy/evaluation/compile-policy';
import type { DecidedRequest } from '../../src/policy/suggest/decided-request';

interface Row {
  readonly at: string;
  readonly agent: string;
  readonly key: string;
  readonly session: string;
  readonly cwd: string;
  readonly toolName: string;
  readonly toolInput: JsonObject;
  readonly verdict: 'approved' | 'rejected';
  readonly reason?: string;
}

/**
 * A week of two people and their agents on one project, one tool call a line. The verdict is that of a careful person who
 * decides about safety; wishes about style are for the review of the code.
 */
export const RECORDED_WEEK: readonly Row[] = readFileSync(
  join(__dirname, '..', 'policy', 'recorded-week.jsonl'),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Row);

/** The week as `policy suggest` and `policy test` see it. */
export const DECIDED_WEEK: readonly DecidedRequest[] = RECORDED_WEEK.map((row) => ({
  at: new Date(row.at),
  verdict: row.verdict,
  request: {
    key: row.key,
    owner: null,
    connector: 'claude-code',
    agentId: row.agent,
    sessionId: row.session,
    toolName: row.toolName,
    toolInput: row.toolInput,
    cwd: row.cwd,
    mode: 'default',
    metadata: {},
  },
}));

/** The answers of a policy to decided requests. */
export function replay(policy: CompiledPolicy, decided: readonly DecidedRequest[]) {
  const answers = decided.map((request) => ({
    ...request,
    decision: evaluate(policy, request.request, request.at).decision,
  }));
  const of = (decision: string, verdict?: string) =>
    answers.filter(
      (answer) => answer.decision === decision && (verdict === undefined || answer.verdict === verdict),
    );
  return {
    /** The part of the requests that needs no card. */
    saved: 1 - of('ask').length / decided.length,
    allowedAgainstPeople: of('allow', 'rejected').map(({ request }) => request.toolInput),
    deniedAgainstPeople: of('deny', 'approved').map(({ request }) => request.toolInput),
    approvedThatAllow:
      of('allow', 'approved').length /
      Math.max(decided.filter(({ verdict }) => verdict === 'approved').length, 1),
  };
}
