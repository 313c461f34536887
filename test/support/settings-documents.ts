import type { ZodType } from 'zod';
import { factsOf, SECRETS, SECTIONS } from '../../src/config/settings';

const COLUMNS = 118;

const SETTINGS = SECTIONS.map(({ title, settings }) => ({
  title,
  settings: Object.entries<ZodType>(settings).map(([name, schema]) => {
    const parsed = schema.safeParse(undefined);
    const fallback = parsed.success ? parsed.data?.toString() : undefined;
    const { description, unset, secret } = factsOf(schema);
    return {
      name,
      fallback,
      unset,
      description: secret ? description.replace(/(?=; |\. |$)/, ' (secret)') : description,
    };
  }),
}));

/** Words in lines of this many characters. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const comment = (text: string): string[] => wrap(text, COLUMNS).map((line) => `# ${line}`);

/** The text of .env.example: every setting with its meaning, its default taken out by a `#`. */
export function exampleOfSettings(): string {
  return [
    '# Copy to .env, which a checkout reads unless NODE_ENV is production; what the environment sets already wins.',
    '# Every setting shows its default; an empty one means unset. docs/configuration.md has the same as a table.',
    ...comment(`Secrets can also be read from a file: ${SECRETS.map((name) => `${name}_FILE`).join(', ')}.`),
    ...SETTINGS.flatMap(({ title, settings }) => [
      '',
      '',
      `# --- ${title} ---`,
      ...settings.flatMap(({ name, fallback = '', unset, description }) => [
        '',
        ...comment(`${description}.${unset === undefined ? '' : ` Unset: ${unset}.`}`.replaceAll('`', '')),
        `# ${name}=${fallback}`,
      ]),
    ]),
    '',
  ].join('\n');
}

/** A Markdown table as Prettier writes it. */
function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], fill: string) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(' | ')} |`;
  return [
    line(head, ' '),
    line(
      head.map(() => ''),
      '-',
    ),
    ...rows.map((row) => line(row, ' ')),
  ].join('\n');
}

/** The tables of docs/configuration.md, from its first heading of a section. */
export const tablesOfSettings = (): string =>
  SETTINGS.map(({ title, settings }) => {
    const rows = settings.map(({ name, fallback, unset, description }) => [
      `\`${name}\``,
      fallback === undefined ? `unset${unset === undefined ? '' : `: ${unset}`}` : `\`${fallback}\``,
      description,
    ]);
    return `## ${title}\n\n${table([['variable', 'default', 'meaning'], ...rows])}\n`;
  }).join('\n');
