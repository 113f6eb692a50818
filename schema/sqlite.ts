import { index, integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";

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

/** The last heartbeat of each server. */
export const servers = sqliteTable(
  "servers",
  {
    host: text().notNull(),
    port: integer().notNull(),
    pid: integer().notNull(),
    version: text().notNull(),
    startedAt: real("started_at").notNull(),
    connections: integer().notNull(),
    received: integer().notNull(),
    stored: integer().notNull(),
    spooled: integer().notNull(),
    beatAt: real("beat_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.host, table.port, table.pid] })],
);

/** Creates what is missing of the tables above; safe to run at any time, by any number of processes. */
export const CREATE_TABLES = [
  `CREATE TABLE IF NOT EXISTS ethereum_data (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL, payload TEXT NOT NULL, received_at REAL NOT NULL)`,
  `CREATE UNIQUE INDEX IF NOT EXISTS idx_hash ON ethereum_data (hash)`,
  `CREATE INDEX IF NOT EXISTS idx_received_at ON ethereum_data (received_at, hash)`,
  `CREATE TABLE IF NOT EXISTS ip_addresses (
    id INTEGER PRIMARY KEY, ip TEXT NOT NULL, messages INTEGER NOT NULL)`,
  `CREATE UNIQUE INDEX IF NOT EXISTS idx_ip ON ip_addresses (ip)`,
  `CREATE TABLE IF NOT EXISTS servers (
    host TEXT NOT NULL, port INTEGER NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
    started_at REAL NOT NULL, connections INTEGER NOT NULL, received INTEGER NOT NULL, stored INTEGER NOT NULL,
    spooled INTEGER NOT NULL, beat_at REAL NOT NULL, PRIMARY KEY (host, port, pid)) WITHOUT ROWID`,
];
