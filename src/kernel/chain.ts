/** One step of a chain: the lanes that show the request, and the wait since the step before. */
export interface ChainStep {
  readonly lanes: readonly string[];
  /** Groups and people: their own lanes show the request, where they may decide it. */
  readonly direct: readonly string[];
  /** Milliseconds; 0 for the first step. */
  readonly afterMs: number;
  /** Rotas, groups and people whom the card notifies in `lanes`. */
  readonly mention?: readonly string[];
  /** Groups and people who see the request because of this step; of a rota all who take turns. Absent: nobody. */
  readonly seenBy?: readonly string[];
}

/** Those who are asked, one step after the other. */
export type Chain = readonly ChainStep[];
