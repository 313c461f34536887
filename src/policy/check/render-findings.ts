import type { Finding } from '../document/finding';

/** Longer lines are cut around the words at fault. */
const MAX_WIDTH = 100;

/** Writes findings for a terminal: the place, the line with the words underlined, the reason, and the mend. */
export function renderFindings(findings: readonly Finding[], text: string, file: string): string {
  const lines = text.split('\n');
  const blocks = findings.map((finding) => render(finding, lines[finding.line - 1] ?? '', file));
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const summary = `${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}`;
  return `${[...blocks, summary].join('\n\n')}\n`;
}

function render(
  { severity, line, column, length, rule, message, fix }: Finding,
  source: string,
  file: string,
): string {
  const from = column - 1 + length > MAX_WIDTH ? Math.max(0, column - 1 - MAX_WIDTH / 4) : 0;
  const shown = visible(source.slice(from, from + MAX_WIDTH));
  const indent = ' '.repeat(column - 1 - from);
  const underline = '^'.repeat(Math.max(1, Math.min(length, shown.length - indent.length)));
  const number = String(line);
  const margin = ' '.repeat(number.length);
  return [
    `${severity}: ${visible(message)}`,
    `${margin}--> ${visible(file)}:${line}:${column}${rule === null ? '' : ` (rule ${visible(rule)})`}`,
    `${margin} |`,
    `${number} | ${shown}`,
    `${margin} | ${indent}${underline}`,
    `${margin} = fix: ${visible(fix)}`,
  ].join('\n');
}

/** A document may come from anybody: its characters must not control the terminal. Each takes one column. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => (character === '\t' ? ' ' : '\ufffd'));
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
