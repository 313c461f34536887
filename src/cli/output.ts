/** Thrown by a command that has shown what it found wrong; the process exits with 1 and prints nothing more. */
export class Findings extends Error {
  override readonly name = 'Findings';
}

/** Prints the result: as one JSON document with `--json`, else as the lines for people. */
export function show(result: object, lines: readonly string[], options: { readonly json?: boolean }): void {
  console.log(options.json === true ? JSON.stringify(result) : lines.join('\n'));
}
