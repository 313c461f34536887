const DIGITS = 12;

/** The beginning of a version, `sha256:` and hex, for people. */
export const shortVersion = (version: string): string => version.replace(/^sha256:/, '').slice(0, DIGITS);
