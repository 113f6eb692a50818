import { int, mysqlTable, text, varchar } from "drizzle-orm/mysql-core";

/** Pages, each once; the table that all implementations share. */
export const ethereumData = mysqlTable("ethereum_data", {
  id: int({ unsigned: true }).autoincrement().primaryKey(),
  hash: varchar({ length: 64 }).unique("idx_hash"),
  payload: text(),
});

/**
 * Creates the table where it is missing; safe to run by any number of servers at once.
 *
 * The unique key is part of the statement, so that no server ever sees the table without it, and has the name
 * under which the Go implementation looks for it. The character set holds every UTF-8 text whatever the database's own.
 */
export const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS ethereum_data (
  id int unsigned NOT NULL AUTO_INCREMENT,
  hash varchar(64) DEFAULT NULL,
  payload text DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY idx_hash (hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`;

/** Adds the unique key to a table that another implementation left without it. */
export const ADD_UNIQUE_KEY = "ALTER TABLE ethereum_data ADD UNIQUE KEY idx_hash (hash)";
