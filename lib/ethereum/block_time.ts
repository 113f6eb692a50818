const MAINNET_BLOCK_TIME_MS = 12_000;
/** Share of a new measurement in the average. */
const WEIGHT = 0.2;

/** Learns how long a block takes, as a running average; it begins with what mainnet takes. */
export class BlockTime {
  #averageMs = MAINNET_BLOCK_TIME_MS;
  #last: { readonly number: bigint; readonly atMs: number } | undefined;

  /** Average time from one block to the next, in milliseconds. */
  get averageMs(): number {
    return this.#averageMs;
  }

  /** Takes a new head and the monotonic time when it was seen. */
  observe(number: bigint, atMs: number): void {
    const blocks = this.#last ? Number(number - this.#last.number) : 0;
    if (this.#last && blocks > 0) {
      const measuredMs = (atMs - this.#last.atMs) / blocks;
      this.#averageMs += WEIGHT * (measuredMs - this.#averageMs);
    }
    this.#last = { number, atMs };
  }
}
