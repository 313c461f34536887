/**
 * The policy language that this build enforces, written into its heartbeat. It grows with each property that a document may
 * use. A document is not applied while a live replica enforces less.
 */
export const POLICY_LEVEL = 6;
