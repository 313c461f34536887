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

/** Prints the result: as one JSON document with `--json`, else as the lines for people. */
export function show(result: object, lines: readonly string[], options: { readonly json?: boolean }): void {
  console.log(options.json === true ? JSON.stringify(result) : lines.join('\n'));
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
