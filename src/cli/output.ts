/** How often a long run says how far it is. */
const PROGRESS_EVERY_MS = 2_000;

/** The exit code of a command that did what it was asked and found something wrong. */
export const EXIT_FINDINGS = 1;
/** The exit code of a command that could not do what it was asked. */
export const EXIT_FAILED = 2;

/** Thrown by a command that has shown what it found wrong; the process exits with 1 and prints nothing more. */
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

/** For a stream's errors: whoever read it has seen enough, as `head` has, and nobody is left to complain to. */
export function endWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT_FAILED);
}

/** Says how far a long run is: on standard error, and only when it takes long. */
export function progress(what: string): (rows: number) => void {
  let next = performance.now() + PROGRESS_EVERY_MS;
  return (rows) => {
    if (performance.now() < next) return;
    next = performance.now() + PROGRESS_EVERY_MS;
    process.stderr.write(`${what} ${rows} rows …\n`);
  };
}
