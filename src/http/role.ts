export const ROLES = ['agent', 'operator', 'observer', 'admin'] as const;

/** Role of an API key. */
export type Role = (typeof ROLES)[number];
