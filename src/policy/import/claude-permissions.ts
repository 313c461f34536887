import type { JsonValue } from '../../kernel/json';
import type { Rule } from '../document/policy-schema';
import { readSource } from '../document/source';
import { globFault } from '../matchers/glob';
import { hostPatternFault } from '../matchers/host-pattern';
import { commandTranslation } from './command-translation';
import type { Decision, Imported, ImportOptions, LeftOut, Translation } from './imported';
import { ruleId } from './rule-id';

const LISTS: Readonly<Record<string, Decision>> = { deny: 'deny', ask: 'ask', allow: 'allow' };

/** Tools that a rule for `Edit` covers, and those that a rule for `Read` covers, in Claude Code. */
const EDITS = ['Edit', 'MultiEdit', 'NotebookEdit', 'Write'];
const READS = ['Glob', 'Grep', 'LS', 'NotebookRead', 'Read'];

/**
 * Translates the `permissions` of a Claude Code settings file. A rule that allows is translated if it allows no more than the
 * original; one that denies or asks if it catches no less.
 *
 * Source: https://code.claude.com/docs/en/permissions
 *
 * @throws UnreadableDocument for text that is not JSON
 */
export function importClaudePermissions(text: string, options: ImportOptions): Imported {
  const source = readSource(text);
  const permissions = memberOf(source.value, 'permissions');
  const rules: Rule[] = [];
  const leftOut: LeftOut[] = [];
  const lineOf = (...path: (string | number)[]) =>
    source.locate({ severity: 'error', path: ['permissions', ...path], message: '', fix: '' }).line;

  for (const [list, decision] of Object.entries(LISTS)) {
    const entries = memberOf(permissions, list);
    for (const [index, entry] of (Array.isArray(entries) ? entries : []).entries()) {
      const translation =
        typeof entry === 'string' ? translate(entry, decision, options) : { reason: 'It is not text.' };
      const name = typeof entry === 'string' ? entry : JSON.stringify(entry);
      if ('reason' in translation) {
        leftOut.push({ line: lineOf(list, index), entry: `${list}: ${name}`, reason: translation.reason });
      } else {
        rules.push({ id: ruleId(`${list} ${name}`, rules), decision, ...translation });
      }
    }
  }
  for (const name of Object.keys(isObject(permissions) ? permissions : {})) {
    if (Object.hasOwn(LISTS, name)) continue;
    leftOut.push({
      line: lineOf(name),
      entry: name,
      reason: 'It is a setting of Claude Code and not a rule; it stays there.',
    });
  }
  return { rules, leftOut };
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: JsonValue | undefined): value is Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function translate(entry: string, decision: Decision, options: ImportOptions): Translation {
  const [, tool = '', , specifier] = /^([A-Za-z][\w-]*\*?)(\((.*)\))?$/s.exec(entry) ?? [];
  if (tool === '') return { reason: 'It is not Tool or Tool(specifier).' };
  const who = decision === 'allow' ? { key: options.key } : {};
  if (specifier === undefined || specifier === '*') return wholeTool(tool, decision, who);
  if (tool.startsWith('mcp__')) return { reason: 'Claude Code does not read a specifier of an MCP tool.' };
  if (tool === 'Bash') return commandTranslation(specifier, decision, who);
  if (tool === 'Edit') return pathTranslation(EDITS, specifier, decision, options);
  if (tool === 'Read') return pathTranslation(READS, specifier, decision, options);
  if (EDITS.includes(tool) || READS.includes(tool)) {
    return { reason: `Claude Code checks paths by rules for Edit and Read, not for ${tool}.` };
  }
  if (tool === 'WebFetch') return hostTranslation(specifier, who);
  return { reason: `A specifier of ${tool} has no translation.` };
}

function wholeTool(tool: string, decision: Decision, who: { readonly key?: string }): Translation {
  if (decision === 'allow' && tool === 'Bash') return { reason: 'It allows every command.' };
  if (decision === 'allow' && tool === 'WebFetch') return { reason: 'It allows every host; name the hosts.' };
  if (decision === 'allow' && EDITS.includes(tool))
    return { reason: 'It allows every file; name the directories.' };
  if (/^mcp__[\w-]+$/.test(tool) && !/^mcp__.+__/.test(tool))
    return { match: { tool: `${tool}__*`, ...who } };
  const covers = tool === 'Edit' ? EDITS : tool === 'Read' && decision !== 'allow' ? READS : tool;
  return { match: { tool: covers, ...who } };
}

/** A pattern as gitignore reads it: of a file, or of a directory with everything below it. */
function pathTranslation(
  tool: string[],
  pattern: string,
  decision: Decision,
  options: ImportOptions,
): Translation {
  const { key, root } = options;
  if (/^!|[\\{}]/.test(pattern))
    return { reason: 'A pattern with !, a backslash or braces means something else here.' };
  const isRelative = !/^(?:\/|~\/)/.test(pattern);
  if (pattern.startsWith('~/') && decision === 'allow') {
    return { reason: 'The service does not know the home of the agent; write the path.' };
  }
  const needsRoot =
    (pattern.startsWith('/') && !pattern.startsWith('//')) || (isRelative && decision === 'allow');
  if (needsRoot && root === null)
    return { reason: 'It is relative to the project; name the project with --root.' };
  const base = baseOf(pattern, root);
  const path = /\/\*\*$/.test(base) ? [base] : [base, `${base}/**`];
  const fault = path.map((each) => globFault(each)).find((words) => words !== null) ?? null;
  if (fault !== null) return { reason: `The pattern ${fault}.` };
  if (base.split('/').some((segment) => segment === '..' || segment === '.')) {
    return { reason: 'The pattern contains "." or ".." as a segment.' };
  }
  const who = decision === 'allow' ? { key, ...(isRelative && root !== null && { cwd: root }) } : {};
  return { match: { tool, ...who, path } };
}

function baseOf(pattern: string, root: string | null): string {
  const text = pattern.replace(/(?<=.)\/$/, '');
  if (text.startsWith('//')) return text.slice(1);
  if (text.startsWith('~/')) return text;
  if (text.startsWith('/')) return `${root}${text}`;
  const relative = text.replace(/^\.\//, '');
  const isName = !relative.includes('/') && !text.startsWith('./');
  return isName ? `\${cwd}/**/${relative}` : `\${cwd}/${relative}`;
}

function hostTranslation(specifier: string, who: { readonly key?: string }): Translation {
  const host = /^domain:(.+)$/.exec(specifier)?.[1];
  if (host === undefined) return { reason: 'It is not WebFetch(domain:host).' };
  if (host === '*') return { reason: 'It names every host; name the hosts.' };
  const fault = hostPatternFault(host);
  return fault === null ? { match: { tool: 'WebFetch', ...who, host } } : { reason: `The host ${fault}.` };
}
