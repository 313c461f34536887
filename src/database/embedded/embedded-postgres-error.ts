/** The embedded PostgreSQL cannot serve; the message gives the reason to the person who starts the service. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

/** Another service holds the directory's lock. */
export class DirectoryInUse extends EmbeddedPostgresError {}

/** The `code` of a failed system call (`ENOENT`, …), or of a PostgreSQL error; empty when it has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
