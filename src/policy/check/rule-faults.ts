import type { Fault } from '../document/finding';
import { listOf, type Rule } from '../document/policy-schema';
import { compileNames } from '../evaluation/compile-match';
import { compileCondition } from '../matchers/condition';
import { lintCommandMatcher } from '../shell/lint-command-matcher';
import { memberOf, type MemberRole, type ToolShape, type ToolShapes } from '../tool-shapes';

/** Patterns that match everything. */
const EVERYTHING: ReadonlySet<string> = new Set(['*', '**', '**/*', '/**', '/**/*']);

/** Faults of one rule: what is too broad, what can never match, and commands that carry others. */
export function ruleFaults(rule: Rule, index: number, shapes: ToolShapes): Fault[] {
  const at = (...path: (string | number)[]) => ['rules', index, ...path];
  const fault = (severity: Fault['severity'], path: Fault['path'], message: string, fix: string): Fault => ({
    severity,
    path,
    message,
    fix,
  });
  return [
    ...commandFaults(rule, at),
    ...(rule.decision === 'allow' ? broadAllow(rule, shapes) : broadElse(rule)).map(
      ([severity, member, message, fix]) =>
        fault(severity, member === null ? at() : at('match', member), message, fix),
    ),
    ...neverMatches(rule, shapes).map(([severity, member, message, fix]) =>
      fault(severity, member === 'when' ? at('when') : at('match', member), message, fix),
    ),
  ];
}

type Words<Member> = [severity: Fault['severity'], member: Member, message: string, fix: string];

function commandFaults(
  { decision, match, 'i-know': known }: Rule,
  at: (...path: (string | number)[]) => Fault['path'],
): Fault[] {
  if (!match?.command) return [];
  return lintCommandMatcher(match.command, decision)
    .filter(({ iKnow }) => iKnow === null || !listOf(known).includes(iKnow))
    .map(({ severity, path, message, fix }) => ({
      severity,
      path: at('match', 'command', ...path),
      message,
      fix,
    }));
}

/** Known tools of a rule, by name. */
function toolsOf({ match }: Rule, shapes: ToolShapes): [string, ToolShape][] {
  const isNamed = match?.tool === undefined ? () => true : compileNames(match.tool);
  return [...shapes].filter(([name]) => isNamed(name));
}

function broadAllow(rule: Rule, shapes: ToolShapes): Words<string | null>[] {
  const { tool, command, path, host, input, except } = rule.match ?? {};
  const words: Words<string | null>[] = [];
  if (tool === undefined || listOf(tool).some((name) => EVERYTHING.has(name))) {
    words.push([
      'error',
      tool ? 'tool' : 'key',
      'The rule allows every tool, also those that nobody knows yet.',
      'Name tools in `tool`.',
    ]);
    return words;
  }
  if (!input && listOf(tool).some((name) => /^mcp__\*/.test(name))) {
    words.push([
      'warning',
      'tool',
      'The rule allows every tool of every MCP server.',
      'Name a server: mcp__github__*.',
    ]);
  }
  const tools = toolsOf(rule, shapes);
  const writers = tools.filter(([, { writes }]) => writes).map(([name]) => name);
  if (writers.length > 0 && !path && !command) {
    words.push([
      'error',
      'tool',
      `The rule lets ${writers.join(', ')} write any file.`,
      'Name files in `path`.',
    ]);
  }
  const broad = listOf(path).filter((pattern) => EVERYTHING.has(pattern));
  if (broad.length > 0 && !(except && writers.length === 0)) {
    const severity = writers.length > 0 ? 'error' : 'warning';
    words.push([
      severity,
      'path',
      `${broad[0]} matches every file of the machine.`,
      'Begin with a directory: /srv/*/shop/**.',
    ]);
  }
  if (tools.some(([, shape]) => memberOf(shape, 'url')) && (!host || listOf(host).includes('*'))) {
    words.push([
      'warning',
      host ? 'host' : 'tool',
      'The rule allows every host: an agent can send what it knows to any of them.',
      'Name hosts in `host`.',
    ]);
  }
  return words;
}

function broadElse({ decision, match, when }: Rule): Words<null>[] {
  if (when !== undefined || Object.keys(match ?? {}).length > 0) return [];
  return [
    [
      'warning',
      null,
      `The rule ${decision === 'ask' ? 'asks for' : 'denies'} every request.`,
      'Add `match`.',
    ],
  ];
}

/** The roles of members that a matcher reads. One that catches also searches command lines. */
const READS: readonly [
  member: 'command' | 'path' | 'host',
  proves: readonly MemberRole[],
  catches: readonly MemberRole[],
][] = [
  ['command', ['command'], ['command']],
  ['path', ['path', 'tree'], ['path', 'tree', 'command']],
  ['host', ['url'], ['url', 'command']],
];

function neverMatches(rule: Rule, shapes: ToolShapes): Words<string>[] {
  const { match = {}, when, decision } = rule;
  const words: Words<string>[] = [];
  const names = listOf(match.tool).filter((name) => !/[*?[{]/.test(name));
  const isAllKnown =
    names.length > 0 && names.length === listOf(match.tool).length && names.every((name) => shapes.has(name));
  for (const [member, proves, catches] of READS) {
    if (match[member] === undefined || names.length === 0) continue;
    const roles = decision === 'allow' ? proves : catches;
    const lacking = names.filter(
      (name) => shapes.has(name) && !memberOf(shapes.get(name) as ToolShape, ...roles),
    );
    if (lacking.length === 0) continue;
    const isNever = isAllKnown && lacking.length === names.length;
    words.push([
      isNever ? 'error' : 'warning',
      member,
      `The rule can never match ${lacking.join(', ')}, which ${lacking.length === 1 ? 'has' : 'have'} no ${member}.`,
      isNever ? `Remove \`${member}\`, or name other tools.` : 'Put these tools into a rule of their own.',
    ]);
  }
  const commands = names.filter(
    (name) => shapes.has(name) && memberOf(shapes.get(name) as ToolShape, 'command'),
  );
  if (decision === 'allow' && !match.command && commands.length > 0) {
    words.push([
      'error',
      'tool',
      `The rule can never allow ${commands.join(', ')}: a command is allowed word for word.`,
      'Add `command`.',
    ]);
  }
  if (
    match.path &&
    listOf(match.path).every((pattern) =>
      listOf(match.except).some((other) => other === pattern || EVERYTHING.has(other)),
    )
  ) {
    words.push([
      'error',
      'except',
      'The rule can never match: `except` leaves out everything in `path`.',
      'Narrow `except`.',
    ]);
  }
  for (const name of names) {
    const known = shapes.has(name)
      ? undefined
      : [...shapes.keys()].find((other) => other.toLowerCase() === name.toLowerCase());
    if (known) words.push(['warning', 'tool', `No known agent has a tool "${name}".`, `Write \`${known}\`.`]);
  }
  const constant = when === undefined ? null : compileCondition(when).constant;
  if (constant === false)
    words.push([
      'error',
      'when',
      'The rule can never match: the condition is always false.',
      'Read a member of request.',
    ]);
  if (constant === true) words.push(['warning', 'when', 'The condition is always true.', 'Remove `when`.']);
  return words;
}
