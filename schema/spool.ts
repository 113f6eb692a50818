import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Batch } from "../lib/store/store.ts";

/** Batches that a store could not take, in the order in which they came. */
export const spooledBatches = sqliteTable(
  "spooled_batches",
  {
    id: integer().primaryKey(),
    /** Name of the store that is to take it. */
    store: text().notNull(),
    /** Whether the store refused it for good; it is kept for people to look at. */
    isRefused: integer("is_refused", { mode: "boolean" }).notNull().default(false),
    messages: integer().notNull(),
    batch: text({ mode: "json" }).$type<Batch>().notNull(),
  },
  (table) => [index("idx_store").on(table.store, table.isRefused, table.id)],
);

/** Creates what is missing of the table above. */
export const CREATE_SPOOL = [
  `CREATE TABLE IF NOT EXISTS spooled_batches (
    id INTEGER PRIMARY KEY, store TEXT NOT NULL, is_refused INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL, batch TEXT NOT NULL)`,
  `CREATE INDEX IF NOT EXISTS idx_store ON spooled_batches (store, is_refused, id)`,
];
