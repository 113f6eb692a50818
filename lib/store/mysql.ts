import { count, inArray, sql } from "drizzle-orm";
import { drizzle, type MySql2Database } from "drizzle-orm/mysql2";
import { createPool, type Pool, type PoolConnection, type RowDataPacket } from "mysql2/promise";
import { ethereumData } from "../../schema/mysql.ts";
import { within } from "../deadline.ts";
import { describeNetworkError } from "../network_error.ts";
import { OperationalError } from "../operational_error.ts";
import { formatAddress } from "../printable.ts";
import { sleep } from "../retry.ts";
import { mysqlError, prepareTable } from "./mysql_table.ts";
import type { Batch, PageStore, Refusal } from "./store.ts";

/** Options of {@linkcode MysqlStore}. */
export interface MysqlOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Talks TLS; with the certificates to trust in PEM, instead of the system's. */
  readonly tls?: { readonly ca?: string } | undefined;
  /** Longest time for one operation, connecting included. @default {5000} */
  readonly timeoutMs?: number;
}

/** Drizzle on one connection, which is at hand for the statements that are best written by hand. */
type Database = MySql2Database & { readonly $client: PoolConnection };

interface Page {
  readonly hash: string;
  readonly payload: string;
}

const MAX_CONNECTIONS = 4;
const MAX_WAITING_FOR_CONNECTION = 256;
/** Rows of one INSERT: more gain nothing. */
const MAX_ROWS = 500;
/** Bytes of one INSERT's payloads: with the rest of it they stay below a max_allowed_packet of 1 MiB, the smallest usual. */
const MAX_STATEMENT_BYTES = 960 * 1024;
/** Most bytes that a unit of UTF-16, which is what the length of a string counts, takes in UTF-8 and with its escape. */
const MAX_ESCAPED_BYTES = 3;
const MAX_DEADLOCK_RETRIES = 10;
const MAX_DEADLOCK_PAUSE_MS = 20;

/**
 * Strict, so that a payload which does not fit is an error and never truncated in silence; it also turns off modes
 * under which the quoting of strings would be another. A statement is a transaction, whatever the server's default.
 */
const SESSION =
  "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 3, autocommit = 1";

// Built by the driver, as Drizzle takes three times the processor time for a statement of many values.
const SELECT_KNOWN = "SELECT hash FROM ethereum_data WHERE hash IN (?)";
/** Leaves a row that came in meanwhile as it is, and unlike INSERT IGNORE keeps every error an error. */
const INSERT = "INSERT INTO ethereum_data (hash, payload) VALUES ? ON DUPLICATE KEY UPDATE id = id";

/** Errors that are about one row's data: the others of its statement can be stored. */
const DATA_ERRORS: readonly string[] = [
  "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD",
  "ER_TRUNCATED_WRONG_VALUE",
  "ER_DATA_TOO_LONG",
  "ER_CANT_CREATE_GEOMETRY_OBJECT",
  "ER_INVALID_CHARACTER_STRING",
  "WARN_DATA_TRUNCATED",
];

/** Errors after which the same rows can be inserted again at once. */
const DEADLOCK_ERRORS: readonly string[] = ["ER_LOCK_DEADLOCK"];

/**
 * Pages in MySQL, in the table that all implementations share.
 *
 * Hashes are looked up before they are inserted, so that a page that is there already burns no id. Two servers that
 * insert the same new page at once are kept apart by the unique key; then alone an id is burnt. One server's writes
 * of the same page wait for each other.
 */
export class MysqlStore implements PageStore {
  readonly name = "MySQL";
  readonly tally = { stored: 0, duplicates: 0 };
  readonly #pool: Pool;
  readonly #timeoutMs: number;
  readonly #address: string;
  /** Pages that are being written, by their hash, with the last write that holds them. */
  readonly #writing = new Map<string, Promise<unknown>>();
  readonly #connections = new WeakMap<PoolConnection["connection"], Database>();

  /** Makes the store; it connects when it is first used. */
  constructor({ tls, timeoutMs = 5000, ...where }: MysqlOptions) {
    this.#timeoutMs = timeoutMs;
    this.#address = formatAddress({ ip: where.host, port: where.port });
    this.#pool = createPool({
      ...where,
      ...(tls ? { ssl: { ...tls, verifyIdentity: true } } : {}),
      charset: "utf8mb4",
      connectionLimit: MAX_CONNECTIONS,
      queueLimit: MAX_WAITING_FOR_CONNECTION,
      connectTimeout: timeoutMs,
      enableKeepAlive: true,
      trace: false, // a stack trace for each statement, kept in case that it fails
    });
  }

  /**
   * Makes the table usable, see {@linkcode prepareTable}; resolves to the character set of its payloads.
   *
   * @throws {OperationalError} when only people can mend the table
   */
  prepare(): Promise<string> {
    return this.#use(prepareTable);
  }

  /** Writes the pages that are not there yet; those that the table cannot hold are refused, all others are stored. */
  async write({ receipts }: Batch): Promise<readonly Refusal[]> {
    const pages = new Map(receipts.map(({ hash, payload }) => [hash, { hash, payload }]));
    const refusals = await this.#afterSamePages([...pages.keys()], () => this.#insertNew(pages));
    const refused = new Set(refusals.map(({ hash }) => hash));
    const stored = pages.size - refused.size;
    this.tally.stored += stored;
    this.tally.duplicates += receipts.filter(({ hash }) => !refused.has(hash)).length - stored;
    return refusals;
  }

  async readPages(hashes: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (hashes.length === 0) return new Map();
    const { hash, payload } = ethereumData;
    const rows = await this.#use((database) =>
      database
        .select({ hash, payload })
        .from(ethereumData)
        .where(inArray(hash, [...hashes])),
    );
    // The column's collation may ignore case and spaces at the end.
    const asked = new Set<string | null>(hashes);
    return new Map(rows.flatMap((row) => (asked.has(row.hash) ? [[row.hash ?? "", row.payload ?? ""]] : [])));
  }

  async countPages(): Promise<number> {
    const [row] = await this.#use((database) => database.select({ pages: count() }).from(ethereumData));
    return row?.pages ?? 0;
  }

  async check(): Promise<void> {
    await this.#use((database) => database.execute(sql`SELECT 1`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A server that hangs does not say goodbye.
    await within(this.#timeoutMs, this.#pool.end()).catch(() => {});
  }

  /** Inserts those pages that are not there yet, and takes the others out of the map. */
  #insertNew(pages: Map<string, Page>): Promise<readonly Refusal[]> {
    return this.#use(async (database) => {
      for (const hash of await selectKnown(database, [...pages.keys()])) pages.delete(hash);
      const refusals: Refusal[] = [];
      for (const rows of splitRows([...pages.values()])) refusals.push(...(await insert(database, rows)));
      return refusals;
    });
  }

  /**
   * Runs a write after those that hold a page of it and are not done, so that this server never races with itself.
   * It fails with them, at once, rather than wait for a database that has just not answered.
   */
  async #afterSamePages<Result>(hashes: readonly string[], write: () => Promise<Result>): Promise<Result> {
    const earlier = new Set(hashes.map((hash) => this.#writing.get(hash)));
    const done = Promise.all(earlier).then(write);
    for (const hash of hashes) this.#writing.set(hash, done);
    try {
      return await done;
    } finally {
      for (const hash of hashes) if (this.#writing.get(hash) === done) this.#writing.delete(hash);
    }
  }

  /**
   * Runs a task on a connection, within the time limit. A connection that failed or was too slow is closed, so that
   * whatever it still does has no way back and the next task gets a new one.
   */
  async #use<Result>(task: (database: Database) => Promise<Result>): Promise<Result> {
    let connection: PoolConnection | undefined;
    let isOver = false;
    const run = async () => {
      const acquired = await this.#pool.getConnection();
      if (isOver) acquired.destroy();
      connection = acquired;
      return task(await this.#open(acquired));
    };
    try {
      const result = await within(this.#timeoutMs, run());
      connection?.release();
      return result;
    } catch (error) {
      isOver = true;
      connection?.destroy();
      throw this.#describe(error);
    }
  }

  async #open(pooled: PoolConnection): Promise<Database> {
    const opened = this.#connections.get(pooled.connection);
    if (opened) return opened;
    await pooled.query(SESSION);
    const database = drizzle(pooled);
    this.#connections.set(pooled.connection, database);
    return database;
  }

  #describe(error: unknown): Error {
    const cause = mysqlError(error);
    if (cause instanceof OperationalError) return cause;
    return new Error(`MySQL at ${this.#address} cannot be used: ${describeNetworkError(cause)}`, { cause });
  }
}

async function selectKnown({ $client }: Database, hashes: readonly string[]): Promise<readonly string[]> {
  // Without hashes it asks all the same: whoever writes an empty batch wants to know whether it could be written.
  const [rows] = await $client.query<RowDataPacket[]>(SELECT_KNOWN, [hashes.length > 0 ? hashes : [""]]);
  return rows.map(({ hash }) => hash as string);
}

/** Inserts rows; those that the table cannot hold are found by halving, the others are stored. */
async function insert(database: Database, rows: readonly Page[], attempt = 0): Promise<readonly Refusal[]> {
  try {
    await database.$client.query(INSERT, [rows.map(({ hash, payload }) => [hash, payload])]);
    return [];
  } catch (error) {
    const { code = "", message } = mysqlError(error);
    if (DEADLOCK_ERRORS.includes(code) && attempt < MAX_DEADLOCK_RETRIES) {
      await sleep(Math.random() * MAX_DEADLOCK_PAUSE_MS);
      // Servers that insert the same rows in the same order wait for each other instead.
      const ordered = rows.toSorted((one, other) => (one.hash < other.hash ? -1 : 1));
      return insert(database, ordered, attempt + 1);
    }
    if (!DATA_ERRORS.includes(code)) throw error;
    const [first] = rows;
    if (first && rows.length === 1) return [{ hash: first.hash, reason: describeDataError(message) }];
    const half = Math.ceil(rows.length / 2);
    return [...(await insert(database, rows.slice(0, half))), ...(await insert(database, rows.slice(half)))];
  }
}

function* splitRows(rows: readonly Page[]): Generator<readonly Page[]> {
  let from = 0;
  let bytes = 0;
  for (const [index, { payload }] of rows.entries()) {
    const rowBytes = payload.length * MAX_ESCAPED_BYTES;
    if (index > from && (index - from >= MAX_ROWS || bytes + rowBytes > MAX_STATEMENT_BYTES)) {
      yield rows.slice(from, index);
      from = index;
      bytes = 0;
    }
    bytes += rowBytes;
  }
  if (from < rows.length) yield rows.slice(from);
}

/** MySQL quotes the bytes it could not store, which are the sender's and of no use to it. */
function describeDataError(message: string): string {
  return message.startsWith("Incorrect string value")
    ? "Cannot store the message as it is outside the character set of the MySQL table"
    : "Cannot store the message as it does not fit the MySQL table";
}
