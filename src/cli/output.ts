import { kindOf, UNSEEN } from '../cards/visible-text/characters';
import { visibleJson } from '../cards/visible-text/visible-text';

/** Interval of the progress lines of a long run. */
const PROGRESS_EVERY_MS = 2_000;

/** Exit code of a command that completed and found a problem. */
export const EXIT_FINDINGS = 1;
/** Exit code of a command that could not complete. */
export const EXIT_FAILED = 2;

/** Thrown by a command after it has shown its findings; the process exits with 1 and prints nothing more. */
export class Findings extends Error {
  override readonly name = 'Findings';
}

/**
 * Escapes every character of a line that is not seen, line ends included, so that words of a service, a file or an agent
 * neither control the terminal nor pass for lines of ours. What is visible already stays as it is.
 */
export function printable(line: string): string {
  return line.replace(/[^\x20-\x7e]/gu, (character) => {
    const codePoint = character.codePointAt(0) ?? 0;
    return kindOf(codePoint) === UNSEEN ? `\\u{${codePoint.toString(16)}}` : character;
  });
}

/** Prints the result: as one JSON document with `--json`, else as the lines for people. */
export function show(result: object, lines: readonly string[], options: { readonly json?: boolean }): void {
  const json = () => visibleJson(JSON.stringify(result));
  console.log(options.json === true ? json() : lines.map(printable).join('\n'));
}

/** Prints a message on standard error; the further lines of a long one are indented. */
export function complain(message: string): void {
  process.stderr.write(`countersign: ${message.split('\n').map(printable).join('\n  ')}\n`);
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Handles a stream's errors: exits without a message if the reader has closed the pipe, as `head` does. */
export function endWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT_FAILED);
}

/** Reports the progress of a long run on standard error; a short run prints nothing. */
export function progress(what: string): (rows: number) => void {
  let next = performance.now() + PROGRESS_EVERY_MS;
  return (rows) => {
    if (performance.now() < next) return;
    next = performance.now() + PROGRESS_EVERY_MS;
    process.stderr.write(`${what} ${rows} rows …\n`);
  };
}

const BAR_CELLS = 24;

/**
 * A bar on the terminal for the progress of a long command. Null where nobody watches it: with `--json`, or where the output
 * is not a terminal.
 */
export function progressBar(
  what: string,
  options: { readonly json?: boolean },
  { stdout, stderr }: Pick<NodeJS.Process, 'stdout' | 'stderr'> = process,
): { readonly show: (progress: { done: number; of: number }) => void; readonly clear: () => void } | null {
  if (options.json === true || !stdout.isTTY || !stderr.isTTY) return null;
  return {
    show: ({ done, of }) => {
      const part = of === 0 ? 1 : Math.min(1, done / of);
      const cells = '█'.repeat(Math.round(part * BAR_CELLS)).padEnd(BAR_CELLS, '░');
      stderr.write(`\r\x1b[K${cells} ${Math.floor(part * 100)} %, ${done} of ${of} ${what}`);
    },
    clear: () => {
      stderr.write('\r\x1b[K');
    },
  };
}
