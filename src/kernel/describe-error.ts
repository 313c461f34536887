/** Describes an error by its message and its causes. Never uses its properties, which may hold requests. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${describeError(error.cause)}`;
  const inner = error instanceof AggregateError ? ` (${error.errors.map(describeError).join('; ')})` : '';
  return `${error.message || error.name}${inner}${cause}`;
}
