import { canonicalize } from '../../kernel/canonical-json';
import type { JsonValue } from '../../kernel/json';
import type { InputTest, Rule } from '../document/policy-schema';
import { Facts } from '../evaluation/facts';
import type { PolicyRequest } from '../evaluation/policy-request';
import type { ToolShape, ToolShapes } from '../tool-shapes';
import { askers, distinct, groupBy, MIN_USES, slug, type Candidate } from './candidate';

/** Files that configure what runs later; the habit of editing others says nothing about them. */
const EXCEPT = ['**/.*', '**/.*/**', '**/node_modules/**', '**/package.json', '**/Makefile'];

/** Rules for the directories below which people approved edits, or reads. */
export function findPathCandidates(
  approved: readonly PolicyRequest[],
  rejected: readonly PolicyRequest[],
  shapes: ToolShapes,
): Candidate[] {
  return [true, false].flatMap((writes) => {
    const of = (requests: readonly PolicyRequest[]) =>
      requests.flatMap((request) => {
        const shape = shapes.get(request.toolName);
        return shape?.writes === writes ? placesOf(request, shape) : [];
      });
    const refused = new Set(of(rejected).map(({ place }) => place));
    const uses = of(approved).filter(({ place }) => !refused.has(place));
    const path = [...groupBy(uses, ({ place }) => place)]
      .filter(([, group]) => group.length >= MIN_USES)
      .map(([place]) => place);
    const requests = uses.filter(({ place }) => path.includes(place)).map(({ request }) => request);
    const who = askers(requests);
    if (path.length === 0 || who === null) return [];
    const tool = distinct(requests.map(({ toolName }) => toolName));
    const isTree = tool.some((name) => Object.values(shapes.get(name)?.members ?? {}).includes('tree'));
    const match = { tool, ...who, path: path.toSorted(), ...(!isTree && { except: EXCEPT }) };
    const rule: Rule = { id: `suggested-${writes ? 'edits' : 'reads'}`, decision: 'allow', match };
    return [{ rule, tools: new Set(tool), command: null }];
  });
}

/** The pattern of each path: the first directory below the working directory, or the file in it. None is hidden. */
function placesOf(request: PolicyRequest, shape: ToolShape) {
  const facts = new Facts(request, shape, new Date(0));
  const root = `${facts.cwd?.text}/`;
  return (facts.paths() ?? []).flatMap(({ path: { text, doubt } }) => {
    if (doubt !== null || !text.startsWith(root)) return [];
    const [first = '', ...rest] = text.slice(root.length).split('/');
    if (!/^[\w][\w.-]*$/.test(first)) return [];
    return [{ place: rest.length > 0 ? `\${cwd}/${first}/**` : `\${cwd}/${first}`, request }];
  });
}

/** One rule for the hosts from which people let agents read. */
export function findHostCandidates(approved: readonly PolicyRequest[], shapes: ToolShapes): Candidate[] {
  const uses = approved.flatMap((request) => {
    const shape = shapes.get(request.toolName);
    if (shape === undefined) return [];
    return (new Facts(request, shape, new Date(0)).hosts() ?? []).flatMap(({ name, doubt }) =>
      doubt === null ? [{ name, request }] : [],
    );
  });
  const known = [...groupBy(uses, ({ name }) => name).values()]
    .filter(({ length }) => length >= MIN_USES)
    .flat();
  if (known.length === 0) return [];
  const tool = distinct(known.map(({ request }) => request.toolName));
  const key = distinct(known.map(({ request }) => request.key));
  const match = { tool, key, host: distinct(known.map(({ name }) => name)) };
  return [{ rule: { id: 'suggested-hosts', decision: 'allow', match }, tools: new Set(tool), command: null }];
}

/** One rule for each MCP server, with the tools that people always approved, and the members that never changed. */
export function findToolCandidates(
  approved: readonly PolicyRequest[],
  rejected: readonly PolicyRequest[],
  shapes: ToolShapes,
): Candidate[] {
  const refused = new Set(rejected.map(({ toolName }) => toolName));
  const used = [...groupBy(approved, ({ toolName }) => toolName)].flatMap(([toolName, requests]) => {
    const server = /^(mcp__[\w-]+?__)[\w-]+$/.exec(toolName)?.[1];
    if (server === undefined || shapes.has(toolName) || refused.has(toolName)) return [];
    return requests.length >= MIN_USES ? requests.map((request) => ({ server, request })) : [];
  });
  return [...groupBy(used, ({ server }) => server)].map(([server, uses]) => {
    const requests = uses.map(({ request }) => request);
    const tool = distinct(requests.map(({ toolName }) => toolName));
    const input = constantMembers(requests);
    const key = distinct(requests.map((request) => request.key));
    const match = { tool, key, ...(Object.keys(input).length > 0 && { input }) };
    const rule: Rule = { id: `suggested-${slug(server)}`, decision: 'allow', match };
    return { rule, tools: new Set(tool), command: null };
  });
}

/** Tests for the members that have the same value in all requests. */
function constantMembers(requests: readonly PolicyRequest[]): Record<string, InputTest> {
  const [first, ...others] = requests;
  const tests: Record<string, InputTest> = {};
  for (const [name, value] of Object.entries(first?.toolInput ?? {})) {
    const text = canonicalize(value);
    if (others.every(({ toolInput }) => isSame(toolInput[name], text))) {
      tests[`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`] = { equals: value };
    }
  }
  return tests;
}

function isSame(value: JsonValue | undefined, text: string): boolean {
  return value !== undefined && canonicalize(value) === text;
}
