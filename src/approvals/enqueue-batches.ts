/** At most this many requests go into one statement; what is more goes into the next. */
const MAX_ITEMS = 256;
/** Nor more than this much text, so that a few large requests do not hold up many small ones. */
const MAX_CHARACTERS = 4_000_000;

export interface BatchItem {
  /** How large it is, in UTF-16 units. */
  readonly size: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Joins calls that come at one time into one statement, so that they share one COMMIT. Nothing waits for company:
 * a call that comes alone goes at once, and what comes while a statement runs goes together in the next.
 */
export class EnqueueBatches<Item extends BatchItem, Result> {
  private readonly waiting: Waiting<Item, Result>[] = [];
  private running = false;

  /**
   * @param run does all or nothing, and answers in the order of the items.
   * @param failsAlone whether a failure may come from a single item, so that the others deserve a try without it.
   */
  constructor(
    private readonly run: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly failsAlone: (error: unknown) => boolean,
  ) {}

  /** Rejects with what `run` rejects with for the batch or, where that may be another item's fault, for this item. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.running) void this.work();
    });
  }

  private async work(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) await this.settle(this.next());
    this.running = false;
  }

  private next(): Waiting<Item, Result>[] {
    let count = 0;
    let size = 0;
    for (const { item } of this.waiting) {
      size += item.size;
      if (count > 0 && (count === MAX_ITEMS || size > MAX_CHARACTERS)) break;
      count++;
    }
    return this.waiting.splice(0, count);
  }

  private async settle(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.run(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, place) => resolve(results[place] as Result));
    } catch (error) {
      if (batch.length > 1 && this.failsAlone(error)) for (const each of batch) await this.settle([each]);
      else for (const { reject } of batch) reject(error);
    }
  }
}
