/**
 * Items that wait to be delivered, the oldest first, for one reader; when it is full, a new item drops the oldest.
 */
export class Outbox<Item> {
  readonly #capacity: number;
  readonly #items: Item[] = [];
  #isClosed = false;
  #dropped = 0;
  #wake: (() => void) | undefined;

  constructor({ capacity }: { readonly capacity: number }) {
    this.#capacity = capacity;
  }

  /** Whether no item waits. */
  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** Number of items dropped since it was made. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether `close()` was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Adds an item and wakes the reader. */
  push(item: Item): void {
    this.#items.push(item);
    if (this.#items.length > this.#capacity) {
      this.#items.shift();
      this.#dropped++;
    }
    this.#wake?.();
  }

  /** Ends the reader's waiting; what still waits is given up. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  /** Takes the oldest item, waiting for one if there is none; resolves to nothing once it is closed. */
  async next(): Promise<Item | undefined> {
    while (this.isEmpty && !this.#isClosed) await this.#change();
    return this.#isClosed ? undefined : this.#items.shift();
  }

  /** Waits for a time, at most until an item is added or it is closed. */
  async pause(ms: number): Promise<void> {
    const timer = setTimeout(() => this.#wake?.(), ms);
    if (this.isEmpty && !this.#isClosed) await this.#change();
    clearTimeout(timer);
  }

  #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }
}
