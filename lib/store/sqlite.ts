import type { Database } from "bun:sqlite";
import { asc, count, desc, getTableColumns, gte, inArray, lt, max, sql } from "drizzle-orm";
import { drizzle, type BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import { CREATE_TABLES, ethereumData, ipAddresses, servers } from "../../schema/sqlite.ts";
import { openSqliteDatabase } from "./sqlite_database.ts";
import {
  SERVER_EXPIRY_SECONDS,
  type Batch,
  type ClientRow,
  type HashPage,
  type HashRow,
  type PageStore,
  type Refusal,
  type ServerRow,
  type StatsStore,
} from "./store.ts";

/** Options of {@linkcode openSqliteStore}. */
export interface SqliteOptions {
  readonly file: string;
  /** Creates the file and its tables where they are missing, and may write; otherwise it only reads. @default {true} */
  readonly write?: boolean;
}

/**
 * Opens the embedded store: pages and statistics in one SQLite file.
 *
 * @throws {OperationalError} when the file cannot be used
 */
export function openSqliteStore({ file, write = true }: SqliteOptions): SqliteStore {
  return new SqliteStore(openSqliteDatabase(write ? { file, create: CREATE_TABLES } : { file }));
}

/** Pages and statistics in one SQLite file. */
export class SqliteStore implements PageStore, StatsStore {
  readonly name = "SQLite";
  readonly tally = { stored: 0, duplicates: 0, spooled: 0 };
  readonly #database: Database;
  readonly #drizzle;
  #writes: ReturnType<typeof prepareWrites> | undefined;

  constructor(database: Database) {
    this.#database = database;
    this.#drizzle = drizzle(database);
  }

  /** Whether the file holds the store's tables. */
  get hasTables(): boolean {
    const tables = this.#database.query(
      "SELECT name FROM sqlite_master WHERE name IN ('ethereum_data', 'ip_addresses', 'servers')",
    );
    return tables.all().length === 3;
  }

  /** Writes a batch in one transaction: all of it is stored and counted, or nothing is. */
  async write({ receipts }: Batch): Promise<readonly Refusal[]> {
    // Not sooner: a reader may meet a file whose tables are about to be created.
    const { insertPage, countMessages, lastId } = (this.#writes ??= prepareWrites(this.#drizzle));
    const messagesByIp = new Map<string, number>();
    const stored = this.#drizzle.transaction(
      () => {
        // Ids are given in sequence, and nobody else writes meanwhile.
        const idBefore = lastId.get()?.id ?? 0;
        for (const { hash, payload, receivedAtSeconds, ip } of receipts) {
          insertPage.run({ hash, payload, receivedAtSeconds });
          messagesByIp.set(ip, (messagesByIp.get(ip) ?? 0) + 1);
        }
        for (const [ip, messages] of messagesByIp) countMessages.run({ ip, messages });
        return (lastId.get()?.id ?? 0) - idBefore;
      },
      { behavior: "immediate" },
    );
    this.tally.stored += stored;
    this.tally.duplicates += receipts.length - stored;
    return [];
  }

  async readPages(hashes: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { hash, payload } = ethereumData;
    const rows = this.#drizzle
      .select({ hash, payload })
      .from(ethereumData)
      .where(inArray(hash, [...hashes]))
      .all();
    return new Map(rows.map((row) => [row.hash, row.payload]));
  }

  async countPages(): Promise<number> {
    return this.#drizzle.select({ pages: count() }).from(ethereumData).get()?.pages ?? 0;
  }

  async check(): Promise<void> {
    this.#database.query("SELECT id FROM ethereum_data LIMIT 1").get();
  }

  async listHashes({ limit, before }: HashPage): Promise<readonly HashRow[]> {
    const { hash, receivedAt } = ethereumData;
    return this.#drizzle
      .select({ hash, receivedAtSeconds: receivedAt })
      .from(ethereumData)
      .where(before && sql`(${receivedAt}, ${hash}) < (${before.receivedAtSeconds}, ${before.hash})`)
      .orderBy(desc(receivedAt), desc(hash))
      .limit(limit)
      .all();
  }

  async listClients(): Promise<readonly ClientRow[]> {
    const { ip, messages } = ipAddresses;
    return this.#drizzle.select({ ip, messages }).from(ipAddresses).orderBy(asc(ipAddresses.id)).all();
  }

  async beat(server: ServerRow): Promise<void> {
    const { startedAtSeconds: startedAt, ...rest } = server;
    const beatAt = Date.now() / 1000;
    const row = { ...rest, startedAt, beatAt };
    this.#drizzle.transaction(
      () => {
        this.#drizzle
          .delete(servers)
          .where(lt(servers.beatAt, beatAt - SERVER_EXPIRY_SECONDS))
          .run();
        this.#drizzle
          .insert(servers)
          .values(row)
          .onConflictDoUpdate({ target: [servers.host, servers.port, servers.pid], set: row })
          .run();
      },
      { behavior: "immediate" },
    );
  }

  async listServers(): Promise<readonly ServerRow[]> {
    const { beatAt, startedAt: startedAtSeconds, ...columns } = getTableColumns(servers);
    return this.#drizzle
      .select({ ...columns, startedAtSeconds })
      .from(servers)
      .where(gte(beatAt, Date.now() / 1000 - SERVER_EXPIRY_SECONDS))
      .orderBy(asc(servers.host), asc(servers.port), asc(servers.pid))
      .all();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
  }
}

function prepareWrites(database: BunSQLiteDatabase) {
  const insertPage = database
    .insert(ethereumData)
    .values({
      hash: sql.placeholder("hash"),
      payload: sql.placeholder("payload"),
      receivedAt: sql.placeholder("receivedAtSeconds"),
    })
    .onConflictDoUpdate({
      target: ethereumData.hash,
      set: { receivedAt: sql`excluded.received_at` },
      setWhere: sql`excluded.received_at < ${ethereumData.receivedAt}`,
    })
    .prepare();
  const countMessages = database
    .insert(ipAddresses)
    .values({ ip: sql.placeholder("ip"), messages: sql.placeholder("messages") })
    .onConflictDoUpdate({
      target: ipAddresses.ip,
      set: { messages: sql`${ipAddresses.messages} + excluded.messages` },
    })
    .prepare();
  const lastId = database
    .select({ id: max(ethereumData.id) })
    .from(ethereumData)
    .prepare();
  return { insertPage, countMessages, lastId };
}
