import { stringify } from 'yaml';
import { importClaudePermissions } from './claude-permissions';
import { importCodexRules } from './codex-rules';
import type { Imported, ImportOptions } from './imported';

/**
 * Translates Claude Code's settings or Codex's rules, whichever the text is.
 *
 * @throws UnreadableDocument for text that is neither
 */
export function importPolicy(text: string, options: ImportOptions): Imported {
  return /^\s*(?:#[^\n]*\s*)*[a-z_]+\(/.test(text)
    ? importCodexRules(text)
    : importClaudePermissions(text, options);
}

/** The document with the translated rules, and a comment for each entry that is left out. */
export function writeImported({ rules, leftOut }: Imported): string {
  const comments = leftOut.map(
    ({ line, entry, reason }) => `# Left out: line ${line}, ${inOneLine(entry)}\n#   ${inOneLine(reason)}\n`,
  );
  const document = stringify({ version: 1, rules }, { lineWidth: 0, flowCollectionPadding: false });
  return [...comments, document].join('');
}

/** A comment ends with its line, and the text is another program's. */
function inOneLine(text: string): string {
  return text.replaceAll(/[\s\p{C}]+/gu, ' ');
}
