import { index, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Pages, each once, with the time of first receipt in seconds since the epoch. */
export const ethereumData = sqliteTable(
  "ethereum_data",
  {
    id: integer().primaryKey(),
    hash: text().notNull().unique("idx_hash"),
    payload: text().notNull(),
    receivedAt: real("received_at").notNull(),
  },
  (table) => [index("idx_received_at").on(table.receivedAt, table.hash)],
);

/** Senders and how many messages each has sent. */
export const ipAddresses = sqliteTable("ip_addresses", {
  id: integer().primaryKey(),
  ip: text().notNull().unique("idx_ip"),
  messages: integer().notNull(),
});

/** Creates what is missing of the tables above; safe to run at any time, by any number of processes. */
export const CREATE_TABLES = [
  `CREATE TABLE IF NOT EXISTS ethereum_data (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL, payload TEXT NOT NULL, received_at REAL NOT NULL)`,
  `CREATE UNIQUE INDEX IF NOT EXISTS idx_hash ON ethereum_data (hash)`,
  `CREATE INDEX IF NOT EXISTS idx_received_at ON ethereum_data (received_at, hash)`,
  `CREATE TABLE IF NOT EXISTS ip_addresses (
    id INTEGER PRIMARY KEY, ip TEXT NOT NULL, messages INTEGER NOT NULL)`,
  `CREATE UNIQUE INDEX IF NOT EXISTS idx_ip ON ip_addresses (ip)`,
];
