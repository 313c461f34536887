/** The short id for operators: the last eight hex characters of the UUID, the random end of a version 7 one. */
export function shortId(approvalId: string): string {
  return approvalId.slice(-8);
}
