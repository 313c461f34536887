/**
 * At most this many requests go into one statement; what is more goes into the next. With more, everybody who asks may
 * end up in the same one, and nobody works while the database writes it.
 */
const MAX_ITEMS = 32;
/** Nor more than this much text, so that a few large requests do not hold up many small ones. */
const MAX_CHARACTERS = 4_000_000;
/** While one statement is written by the database, the next is made here, and the one before it answered. */
const MAX_UNDER_WAY = 2;

export interface BatchItem {
  /** How large it is, in UTF-16 units. */
  readonly size: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  /** In a statement of its own, since its batch failed. */
  readonly apart: boolean;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface Options<Item, Result> {
  /** Does all or nothing, and answers in the order of the items. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Whether it must see what every other statement did, and they what it does: then nothing else is under way. */
  readonly mustRunAlone: (items: readonly Item[]) => boolean;
  /** Whether a failure may come from a single item, so that the others deserve a try without it. */
  readonly failsAlone: (error: unknown) => boolean;
}

/**
 * Joins calls that come at one time into one statement, so that they share one COMMIT. Nothing waits for company that is
 * not there: what one turn of the event loop read from its sockets goes together, as soon as there is room.
 */
export class EnqueueBatches<Item extends BatchItem, Result> {
  private readonly waiting: Waiting<Item, Result>[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private working = false;

  constructor(private readonly options: Options<Item, Result>) {}

  /** Rejects with what `run` rejects with for the batch or, where that may be another item's fault, for this item. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, apart: false, resolve, reject });
      this.start();
    });
  }

  /** After all else that this turn of the event loop brings: the first call of it would go alone. */
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
    let size = 0;
    for (const { item, apart } of this.waiting) {
      size += item.size;
      if (count > 0 && (apart || count === MAX_ITEMS || size > MAX_CHARACTERS)) break;
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
