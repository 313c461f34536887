import { stringify } from 'yaml';
import { TOOL_SHAPES } from '../../src/agents/adapters';
import { readPolicy } from '../../src/policy/document/read-policy';
import { UnreadableDocument } from '../../src/policy/document/source';
import { compilePolicy, type CompiledPolicy } from '../../src/policy/evaluation/compile-policy';
import { evaluate, type Verdict } from '../../src/policy/evaluation/evaluate';
import type { CommandMatcher } from '../../src/policy/shell/command-matcher';
import { compileMention, findMention, indexCommands, vocabularyOf } from '../../src/policy/shell/mentions';
import { parseCommand } from '../../src/policy/shell/parse-command';
import type { PolicyRequest } from '../../src/policy/evaluation/policy-request';

/** A rule as a document writes it. */
export type WrittenRule = Readonly<Record<string, unknown>>;

const NOON = new Date('2026-03-04T12:00:00Z');

export function documentOf(rules: readonly WrittenRule[], others: object = {}): string {
  return stringify({ version: 1, ...others, rules });
}

/** A document of rules; a rule without an id is named by its place. */
export function policyOf(rules: readonly WrittenRule[], others: object = {}): CompiledPolicy {
  const named = rules.map((rule, i) => ({ id: `rule-${i + 1}`, ...rule }));
  return compilePolicy(readPolicy(documentOf(named, others)), TOOL_SHAPES);
}

export function requestOf(request: Partial<PolicyRequest> = {}): PolicyRequest {
  return {
    key: 'laptop',
    owner: 'olivia',
    connector: 'hook',
    agentId: 'coder',
    sessionId: 'session-1',
    toolName: 'Bash',
    toolInput: { command: 'git status' },
    cwd: '/srv/a/shop',
    mode: 'default',
    metadata: {},
    ...request,
  };
}

export function verdictOf(
  rules: readonly WrittenRule[],
  request: Partial<PolicyRequest> = {},
  { others = {}, now = NOON }: { readonly others?: object; readonly now?: Date } = {},
): Verdict {
  return evaluate(policyOf(rules, others), requestOf(request), now);
}

/** The decision about a request by one rule. */
export function decisionOf(rule: WrittenRule, request: Partial<PolicyRequest> = {}): Verdict['decision'] {
  return verdictOf([rule], request).decision;
}

/** The findings of a document that is refused, as `line:column message`; empty for one that is accepted. */
export function refusalOf(text: string): string[] {
  try {
    readPolicy(text);
    return [];
  } catch (error) {
    if (!(error instanceof UnreadableDocument)) throw error;
    return error.findings.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
}

/** The words of a command by which a rule that denies finds it; null if it does not. */
export function mentionIn(text: string, matcher: CommandMatcher): readonly string[] | null {
  const mention = compileMention(matcher);
  const texts = { commands: [parseCommand(text)], others: [], joined: [], names: [], isCut: false };
  return findMention(indexCommands(texts, vocabularyOf([mention])), mention)?.tokens ?? null;
}
