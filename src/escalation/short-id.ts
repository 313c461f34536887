/** What operators call a request by: the last eight hex characters of its UUID, the random end of a version 7 one. */
export function shortId(approvalId: string): string {
  return approvalId.slice(-8);
}
