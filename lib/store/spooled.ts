import type { Log } from "../log.ts";
import { createBackoff, sleep } from "../retry.ts";
import type { Spool, SpooledBatch } from "./spool.ts";
import type { Batch, Refusal, Store, StoreTally } from "./store.ts";

/** Options of {@linkcode SpooledStore}. */
export interface SpooledStoreOptions {
  /** The store that may be away; whoever opened it closes it after this one. */
  readonly store: Store;
  readonly spool: Spool;
  readonly log: Log;
}

const MAX_PROBE_MS = 2000;

/**
 * A store that takes batches while the store behind it is away: they go to a spool on disk, and from there to the
 * store, oldest first, once it is back.
 *
 * Invariant: what `write()` has resolved for is in the store or in the spool. A write that failed may have been
 * applied all the same; it is repeated under the same batch id, by which the store knows it again.
 */
export class SpooledStore implements Store {
  readonly name: string;
  readonly #store: Store;
  readonly #spool: Spool;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #moving: Promise<void>;
  #isAway = false;
  #wake: () => void = () => {};

  constructor({ store, spool, log }: SpooledStoreOptions) {
    this.name = store.name;
    this.#store = store;
    this.#spool = spool;
    this.#log = log;
    const left = spool.countMessages(store.name);
    if (left > 0) log.info(`Moving ${left} messages from the spool to ${store.name}`);
    this.#moving = this.#move();
  }

  /** Number of messages that wait for the store. */
  get spooled(): number {
    return this.#spool.countMessages(this.name);
  }

  /** What the store has done, and what waits for it. */
  get tally(): Partial<StoreTally> {
    return { ...this.#store.tally, spooled: this.spooled };
  }

  /** Whether the store could not be written when last tried. */
  get isAway(): boolean {
    return this.#isAway;
  }

  async write(batch: Batch): Promise<readonly Refusal[]> {
    if (!this.#isAway) {
      try {
        return await this.#store.write(batch);
      } catch (error) {
        this.#leave(error as Error);
      }
    }
    this.#spool.add(this.name, batch);
    return [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#moving;
  }

  /** Moves what is spooled, and finds out by it when a store that was away is back. */
  async #move(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = createBackoff({ maxMs: MAX_PROBE_MS });
    while (!signal.aborted) {
      const oldest = this.#spool.oldest(this.name);
      if (!oldest && !this.#isAway) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      try {
        // An empty batch changes nothing; that it can be written is what counts.
        const batch = oldest?.batch ?? { id: crypto.randomUUID(), receipts: [] };
        const refusals = await this.#store.write({ ...batch, isRepeated: true });
        if (oldest) this.#remove(oldest, refusals);
        this.#return();
        backoff.reset();
      } catch (error) {
        this.#leave(error as Error);
        await sleep(backoff.next(), signal);
      }
    }
  }

  #remove(oldest: SpooledBatch, refusals: readonly Refusal[]): void {
    const hashes = new Set(refusals.map(({ hash }) => hash));
    const refused = oldest.batch.receipts.filter(({ hash }) => hashes.has(hash));
    if (refusals[0])
      this.#log.error(`Keeping ${refused.length} messages in the spool: ${refusals[0].reason}`);
    this.#spool.remove(this.name, oldest, refused);
  }

  #leave(error: Error): void {
    if (this.#isAway || this.#stop.signal.aborted) return;
    this.#isAway = true;
    this.#log.warn(`${error.message}; messages wait in the spool`);
    this.#wake();
  }

  #return(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#log.info(`${this.name} is back; moving ${this.spooled} messages from the spool`);
  }
}
