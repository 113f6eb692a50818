import type { Batch, Refusal, Store } from "./store.ts";

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

  /** Takes over what the stores were opened with, and disposes it with itself. */
  constructor(stores: readonly Store[], opened: AsyncDisposable) {
    this.name = stores.map(({ name }) => name).join(" and ");
    this.#stores = stores;
    this.#opened = opened;
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
