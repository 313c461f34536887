import type { Fault } from '../document/finding';
import { listOf, type Rule, type RuleCase } from '../document/policy-schema';
import { CompiledPolicy, compileRule } from '../evaluation/compile-policy';
import { evaluate } from '../evaluation/evaluate';
import type { PolicyRequest } from '../evaluation/policy-request';
import { memberOf, type MemberRole, type ToolShapes } from '../tool-shapes';
import { sampleOf } from './sample';

/** The time of a case that gives none. */
const NOON = '2026-01-01T12:00:00Z';

/** Tests the cases of a rule, alone: those that it must match, and those that it must not. */
export function caseFaults(rule: Rule, index: number, shapes: ToolShapes): Fault[] {
  const { match = [], not = [] } = rule.cases ?? {};
  if (match.length + not.length === 0) return [];
  const compiled = { ...compileRule(rule), isShadow: false };
  const policy = new CompiledPolicy('sha256:case', [compiled], new Map(), shapes);
  const test = (cases: readonly RuleCase[], mustMatch: boolean): Fault[] =>
    cases.flatMap((written, at) => {
      const path = ['rules', index, 'cases', mustMatch ? 'match' : 'not', at];
      const requests = requestsOf(rule, written, shapes);
      if (requests.length === 0) return [unclear(path)];
      return requests.flatMap((request) => {
        const time = typeof written === 'string' ? NOON : (written.at ?? NOON);
        const { rules, doubt } = evaluate(policy, request, new Date(time));
        const isMatch = rules.includes(rule.id);
        return isMatch === mustMatch ? [] : [wrong(path, rule, request, isMatch, doubt?.words ?? null)];
      });
    });
  return [...test(match, true), ...test(not, false)];
}

function unclear(path: Fault['path']): Fault {
  return {
    severity: 'error',
    path,
    message: 'The rule names no tool with a command, path or URL that this text could be.',
    fix: 'Write the case as a request: { tool: …, input: { … } }.',
  };
}

function wrong(
  path: Fault['path'],
  { id, decision }: Rule,
  { toolName }: PolicyRequest,
  isMatch: boolean,
  doubt: string | null,
): Fault {
  const verb = { allow: 'allows', ask: 'asks for', deny: 'denies' }[decision];
  return {
    severity: 'error',
    path,
    message: isMatch
      ? `Rule "${id}" ${verb} this for ${toolName}, but the case says that it must not.`
      : `Rule "${id}" does not match this for ${toolName}, but the case says that it must${doubt ? `: ${doubt}` : ''}.`,
    fix: isMatch ? 'Narrow the rule, or correct the case.' : 'Widen the rule, or correct the case.',
  };
}

/** The requests of a case. A text stands for the command, the path or the URL of each tool of the rule. */
function requestsOf(rule: Rule, written: RuleCase, shapes: ToolShapes): PolicyRequest[] {
  const { match = {} } = rule;
  const sample = (
    member: 'key' | 'owner' | 'connector' | 'agent' | 'session' | 'mode' | 'cwd',
  ): string | null => {
    const [first] = listOf(match[member]);
    return first === undefined ? null : sampleOf(first, ['', 'x']);
  };
  const base: Omit<PolicyRequest, 'toolName' | 'toolInput'> = {
    key: sample('key') ?? 'key',
    owner: sample('owner') ?? 'owner',
    connector: sample('connector') ?? 'api',
    agentId: sample('agent') ?? 'agent',
    sessionId: sample('session') ?? 'session',
    mode: sample('mode') ?? 'default',
    cwd: sample('cwd') ?? '/work',
    metadata: {},
  };
  const names = listOf(match.tool).filter((name) => !/[*?[{]/.test(name));
  if (typeof written === 'string') {
    return textMembers(match, names, shapes).map(([toolName, member]) => ({
      ...base,
      toolName,
      toolInput: { [member]: written },
    }));
  }
  const {
    tool,
    input = {},
    key,
    owner,
    connector,
    mode,
    cwd,
    metadata,
    agent: agentId,
    session: sessionId,
  } = written;
  const tools =
    tool === undefined
      ? names.length > 0
        ? names
        : listOf(match.tool).map((name) => sampleOf(name))
      : [tool];
  const given = Object.entries({ key, owner, connector, mode, cwd, metadata, agentId, sessionId });
  const own = { ...base, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
  return tools.map((toolName) => ({ ...own, toolName, toolInput: input }));
}

const READS: readonly [member: 'command' | 'path' | 'host', roles: readonly MemberRole[]][] = [
  ['command', ['command']],
  ['path', ['path', 'tree']],
  ['host', ['url']],
];

/** The tools to which a text can be given, each with the member that takes it. */
function textMembers(
  match: NonNullable<Rule['match']>,
  names: readonly string[],
  shapes: ToolShapes,
): [string, string][] {
  const matched = READS.filter(([member]) => match[member] !== undefined);
  const roles = (matched.length > 0 ? matched.slice(0, 1) : READS).flatMap(([, own]) => own);
  const members = (candidates: readonly string[]) =>
    candidates.flatMap((name): [string, string][] => {
      const shape = shapes.get(name);
      const member = shape && memberOf(shape, ...roles);
      return member ? [[name, member]] : [];
    });
  return names.length > 0 ? members(names) : members([...shapes.keys()]).slice(0, 1);
}
