/** The group whose people are admins in the console; source: interface.md. */
export const ADMINS = 'admins';
