/** Keeps the newest entries and evicts the oldest, so that a long run does not fill the memory. */
export class Ring<T> {
  private readonly kept: T[] = [];
  private oldest = 0;

  constructor(private readonly capacity: number) {}

  push(entry: T): void {
    if (this.kept.length < this.capacity) {
      this.kept.push(entry);
      return;
    }
    this.kept[this.oldest] = entry;
    this.oldest = (this.oldest + 1) % this.capacity;
  }

  /** Oldest first. */
  list(): T[] {
    return [...this.kept.slice(this.oldest), ...this.kept.slice(0, this.oldest)];
  }

  clear(): void {
    this.kept.length = 0;
    this.oldest = 0;
  }
}
