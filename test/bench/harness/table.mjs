const HEAD = ['#', 'ratio', 'measured', 'spread', 'target', 'ok', 'figures'];

export const cellsOf = ({ n, name, ratio, spread, target, gated, ok, note = '' }) => [
  String(n),
  name,
  ratio.toFixed(2),
  spread.map((value) => value.toFixed(2)).join('–'),
  `${target}${gated ? ' (gate)' : ''}`,
  ok ? 'yes' : 'NO',
  note,
];

/** The rows as a Markdown table whose columns line up. */
export function formatTable(rows) {
  const lines = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(HEAD), line(widths.map((width) => '-'.repeat(width))), ...lines.slice(1).map(line)].join('\n');
}
