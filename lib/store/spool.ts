import type { Database } from "bun:sqlite";
import { and, asc, eq, sum } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sqlite";
import { CREATE_SPOOL, spooledBatches } from "../../schema/spool.ts";
import { openSqliteDatabase } from "./sqlite_database.ts";
import type { Batch } from "./store.ts";

/** Options of {@linkcode openSpool}. */
export interface SpoolOptions {
  readonly file: string;
  /** Most messages that wait for one store. */
  readonly maxMessages: number;
}

/** A batch that waits, and how to name it to the spool. */
export interface SpooledBatch {
  readonly id: number;
  readonly batch: Batch;
}

/**
 * Opens the spool: batches on disk that wait for a store which is away. It belongs to one server at a time.
 *
 * @throws {OperationalError} when the file cannot be used
 */
export function openSpool({ file, maxMessages }: SpoolOptions): Spool {
  return new Spool(openSqliteDatabase({ file, create: CREATE_SPOOL, exclusive: true }), { maxMessages });
}

/** Batches on disk, in the order in which they came, for each store by its name. */
export class Spool implements Disposable {
  readonly #database: Database;
  readonly #drizzle;
  readonly #maxMessages: number;
  readonly #messages = new Map<string, number>();

  constructor(database: Database, { maxMessages }: { readonly maxMessages: number }) {
    this.#database = database;
    this.#drizzle = drizzle(database);
    this.#maxMessages = maxMessages;
    const { store, messages } = spooledBatches;
    const rows = this.#drizzle
      .select({ store, messages: sum(messages) })
      .from(spooledBatches)
      .groupBy(store)
      .all();
    for (const row of rows) this.#messages.set(row.store, Number(row.messages));
  }

  /** Number of messages that are kept for a store, refused ones included. */
  countMessages(store: string): number {
    return this.#messages.get(store) ?? 0;
  }

  /**
   * Adds a batch; when it returns, the batch survives the end of the process.
   *
   * @throws {Error} when there is no room, or the disk takes no more: then nothing was added
   */
  add(store: string, batch: Batch): void {
    const messages = batch.receipts.length;
    if (this.countMessages(store) + messages > this.#maxMessages) {
      throw new Error(
        `the spool holds ${this.countMessages(store)} messages for ${store}, and --spool-max allows ${this.#maxMessages}`,
      );
    }
    this.#drizzle.insert(spooledBatches).values({ store, messages, batch }).run();
    this.#messages.set(store, this.countMessages(store) + messages);
  }

  /** Gives the oldest batch that waits for a store. */
  oldest(store: string): SpooledBatch | undefined {
    const { id, batch, isRefused } = spooledBatches;
    return this.#drizzle
      .select({ id, batch })
      .from(spooledBatches)
      .where(and(eq(spooledBatches.store, store), eq(isRefused, false)))
      .orderBy(asc(id))
      .limit(1)
      .get();
  }

  /** Removes a batch that the store has taken; receipts that it refused for good are kept, and not given again. */
  remove(store: string, { id, batch }: SpooledBatch, refused: Batch["receipts"] = []): void {
    if (refused.length === 0) {
      this.#drizzle.delete(spooledBatches).where(eq(spooledBatches.id, id)).run();
    } else {
      this.#drizzle
        .update(spooledBatches)
        .set({ isRefused: true, messages: refused.length, batch: { ...batch, receipts: refused } })
        .where(eq(spooledBatches.id, id))
        .run();
    }
    this.#messages.set(store, this.countMessages(store) - batch.receipts.length + refused.length);
  }

  [Symbol.dispose](): void {
    // Gives the file up now: closing alone waits until the statements that Drizzle has prepared are collected.
    for (const pragma of ["journal_mode = DELETE", "locking_mode = NORMAL"])
      this.#database.run(`PRAGMA ${pragma}`);
    this.#database.query("SELECT 1 FROM spooled_batches").get();
    this.#database.close();
  }
}
