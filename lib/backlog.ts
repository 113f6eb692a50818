/** Options of {@linkcode Backlog}. */
export interface BacklogOptions {
  /** Most blocks that wait; beyond it the oldest are given up. */
  readonly capacity: number;
  /** Whether the blocks between two heads are to be delivered too. */
  readonly isGapless: boolean;
  /** Last block that needs no delivery any more. */
  readonly after?: bigint | undefined;
  /** Told of blocks that were given up. */
  readonly onGivenUp: (blocks: GivenUp) => void;
}

/** Blocks that were given up, the first and the last of them. */
export interface GivenUp {
  readonly first: bigint;
  readonly last: bigint;
  /** How many there were since the start. */
  readonly total: bigint;
  readonly reason: "too-many" | "newer" | "new-chain";
}

/**
 * The blocks that wait to be delivered, in ascending order, for one reader.
 *
 * Invariant: they follow each other without a gap, so that two numbers hold them all, however many there are.
 */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #capacity: bigint;
  /** The oldest block that waits; above `#newest` when none does. */
  #oldest = 0n;
  #newest = -1n;
  /** The newest block that was ever added. */
  #seen: bigint | undefined;
  #givenUp = 0n;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#capacity = BigInt(options.capacity);
    this.#seen = options.after;
  }

  /** Whether no block waits. */
  get isEmpty(): boolean {
    return this.#oldest > this.#newest;
  }

  /** Whether no more will be added. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Adds a new head and, where that is wanted, the blocks between it and the one before. */
  add({ number, isNewChain }: { readonly number: bigint; readonly isNewChain: boolean }): void {
    const { isGapless } = this.#options;
    const seen = isNewChain ? undefined : this.#seen;
    if (seen !== undefined && number <= seen) return;
    this.#seen = number;
    // A chain that begins anew among the blocks that wait has those below it too, and the others to come.
    const isWaiting = isNewChain && isGapless && this.#isWaiting(number);
    const first = seen !== undefined && isGapless ? seen + 1n : number;
    if (!this.isEmpty && !isWaiting && this.#newest + 1n !== first)
      this.#giveUpTo(this.#newest, isNewChain ? "new-chain" : "newer");
    if (this.isEmpty) this.#oldest = first;
    this.#newest = number;
    this.#trim();
    this.#wake?.();
  }

  /** Takes the oldest block. */
  take(): bigint | undefined {
    return this.isEmpty ? undefined : this.#oldest++;
  }

  /** Puts back a block that was taken and not delivered, the newest of several first. */
  putBack(number: bigint): void {
    if (this.#isWaiting(number)) return;
    if (this.isEmpty && number === this.#seen) [this.#oldest, this.#newest] = [number, number];
    else if (number + 1n === this.#oldest) this.#oldest = number;
    else return this.#noteGivenUp(number, number, this.#options.isGapless ? "new-chain" : "newer");
    this.#trim();
  }

  /** Says that no more will be added. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  /** Waits until something is added or it is closed. */
  change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  #isWaiting(number: bigint): boolean {
    return number >= this.#oldest && number <= this.#newest;
  }

  #trim(): void {
    const excess = this.#newest - this.#oldest + 1n - this.#capacity;
    const reason = this.#options.isGapless ? "too-many" : "newer";
    if (excess > 0n) this.#giveUpTo(this.#oldest + excess - 1n, reason);
  }

  #giveUpTo(last: bigint, reason: GivenUp["reason"]): void {
    const first = this.#oldest;
    this.#oldest = last + 1n;
    this.#noteGivenUp(first, last, reason);
  }

  #noteGivenUp(first: bigint, last: bigint, reason: GivenUp["reason"]): void {
    this.#givenUp += last - first + 1n;
    this.#options.onGivenUp({ first, last, total: this.#givenUp, reason });
  }
}
