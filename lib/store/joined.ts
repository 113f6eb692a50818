import type { Batch, Refusal, StatsStore, Store, StoreTally } from "./store.ts";

/**
 * Joins stores that each hold a part, such as pages and statistics, into one.
 *
 * They are written one after the other, each with what those before it did not refuse: a page that cannot be stored
 * is in no statistics either.
 */
export class JoinedStore implements Store {
  readonly name: string;
  readonly #stores: readonly Store[];
  readonly #opened: AsyncDisposable;
  /** Leaves heartbeats where one of the stores takes them. */
  readonly beat?: StatsStore["beat"];

  /** Takes over what the stores were opened with, and disposes it with itself. */
  constructor(
    stores: readonly Store[],
    { opened, beaten }: { readonly opened: AsyncDisposable; readonly beaten?: StatsStore | undefined },
  ) {
    this.name = stores.map(({ name }) => name).join(" and ");
    this.#stores = stores;
    this.#opened = opened;
    if (beaten) this.beat = (server) => beaten.beat(server);
  }

  /** What the first has done, which is the one of pages where there is one, and what waits for the one that lacks most. */
  get tally(): Partial<StoreTally> {
    const spooled = Math.max(...this.#stores.map(({ tally }) => tally?.spooled ?? 0));
    return { ...this.#stores[0]?.tally, spooled };
  }

  async write(batch: Batch): Promise<readonly Refusal[]> {
    const refusals: Refusal[] = [];
    let accepted = batch.receipts;
    for (const store of this.#stores) {
      const refused = await store.write({ ...batch, receipts: accepted });
      if (refused.length === 0) continue;
      refusals.push(...refused);
      const hashes = new Set(refused.map(({ hash }) => hash));
      accepted = accepted.filter(({ hash }) => !hashes.has(hash));
    }
    return refusals;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]();
  }
}
