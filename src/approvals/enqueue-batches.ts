/**
 * Maximum number of requests in one statement; the rest goes into the next. With a higher limit, all callers may end up
 * in one statement, and nobody works while the database writes it.
 */
const MAX_ITEMS = 32;
/** Maximum text of one statement, so that a few large requests do not delay many small ones. */
const MAX_BYTES = 4_000_000;
/** While the database writes one statement, this process builds the next and answers the one before it. */
const MAX_UNDER_WAY = 2;

export interface BatchItem {
  readonly bytes: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  /** Retry in a statement of its own, after its batch failed. */
  readonly apart: boolean;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface Options<Item, Result> {
  /** Runs all or nothing, and answers in the order of the items. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** True if the batch must see the effects of every other statement, and they its effects: then it runs alone. */
  readonly mustRunAlone: (items: readonly Item[]) => boolean;
  /** True if a single item may have caused the failure, so that the others deserve a retry without it. */
  readonly failsAlone: (error: unknown) => boolean;
}

/**
 * Joins concurrent calls into one statement, so that they share one COMMIT. No call waits for others to come: calls
 * that one turn of the event loop read from its sockets go together, as soon as there is room.
 */
export class EnqueueBatches<Item extends BatchItem, Result> {
  private readonly waiting: Waiting<Item, Result>[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private working = false;

  constructor(private readonly options: Options<Item, Result>) {}

  /** Rejects with the error of `run` for the batch or, if another item may have caused that, for this item alone. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, apart: false, resolve, reject });
      this.start();
    });
  }

  /** Starts after the rest of this turn of the event loop; otherwise the turn's first call would go alone. */
  private start(): void {
    if (this.working) return;
    this.working = true;
    setImmediate(() => void this.work());
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0) {
      if (this.underWay.size === MAX_UNDER_WAY) await Promise.race(this.underWay);
      const batch = this.next();
      const alone = this.options.mustRunAlone(batch.map(({ item }) => item));
      if (alone) await Promise.all(this.underWay);
      const settled = this.settle(batch).then(() => void this.underWay.delete(settled));
      this.underWay.add(settled);
      if (alone) await settled;
    }
    this.working = false;
  }

  private next(): Waiting<Item, Result>[] {
    let count = 0;
    let bytes = 0;
    for (const { item, apart } of this.waiting) {
      bytes += item.bytes;
      if (count > 0 && (apart || count === MAX_ITEMS || bytes > MAX_BYTES)) break;
      count++;
      if (apart) break;
    }
    return this.waiting.splice(0, count);
  }

  private async settle(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.options.run(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, place) => resolve(results[place] as Result));
    } catch (error) {
      if (batch.length > 1 && this.options.failsAlone(error)) this.tryApart(batch);
      else for (const { reject } of batch) reject(error);
    }
  }

  private tryApart(batch: readonly Waiting<Item, Result>[]): void {
    this.waiting.unshift(...batch.map((each) => ({ ...each, apart: true })));
    this.start();
  }
}
