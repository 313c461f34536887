/** A request that a person rejected and the document would allow. */
export interface Regression {
  readonly approvalId: string;
  readonly rule: string;
  readonly rejectedBy: string;
}

/** The answers that a document would have given to stored requests. */
export interface ReplayResult {
  readonly requests: number;
  readonly allow: number;
  readonly deny: number;
  readonly ask: number;
  /** Number of requests that each rule decides, alone or with others. */
  readonly byRule: Readonly<Record<string, number>>;
  readonly regressions: readonly Regression[];
}
