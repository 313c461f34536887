/** Rows of the audit log that an address names. */
export interface AuditFilter {
  readonly type?: string;
  readonly actor?: string;
  /** Id of a request. */
  readonly request?: string;
}

const NAMES = ['type', 'actor', 'request'] as const;

/** Reads the filter from an address, which may contain anything. */
export function readAuditFilter(search: Record<string, unknown>): AuditFilter {
  const given = NAMES.flatMap((name) => {
    const value = search[name];
    return typeof value === 'string' && value.trim() !== '' ? [[name, value.trim()] as const] : [];
  });
  return Object.fromEntries(given);
}
