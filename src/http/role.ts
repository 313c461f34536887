export const ROLES = ['agent', 'operator', 'observer'] as const;

/** Role of an API key. */
export type Role = (typeof ROLES)[number];
