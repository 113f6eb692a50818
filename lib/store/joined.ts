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

  /** What the first of them has done, which is the one of pages where there is one, and what waits for any of them. */
  get tally(): Partial<StoreTally> {
    const spooled = this.#stores.reduce((sum, { tally }) => sum + (tally?.spooled ?? 0), 0);
    return { ...this.#stores[0]?.tally, spooled };
  }

  async write({ id, receipts }: Batch): Promise<readonly Refusal[]> {
    const refusals: Refusal[] = [];
    let accepted = receipts;
    for (const store of this.#stores) {
      const refused = await store.write({ id, receipts: accepted });
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
