import { describe, expect } from "bun:test";
import { createConnection } from "mysql2/promise";
import { MysqlStore } from "../../lib/store/mysql.ts";
import { sharedMysql, testWith } from "../services.ts";
import { startMysql } from "../support/database_server.ts";
import { receiptOf } from "../support/receipts.ts";
import {
  GO_TABLE,
  openMysqlDatabase,
  PYTHON_TABLE,
  type MysqlDatabaseOptions,
} from "../support/test_database.ts";
import { describeStore } from "./contract.ts";

const test = testWith(["mysql"]);

/** A store over a database of its own. */
async function open(options: MysqlDatabaseOptions = {}) {
  const database = await openMysqlDatabase(await sharedMysql(), options);
  const stores: MysqlStore[] = [];
  const again = async () => {
    const store = new MysqlStore(database.options);
    stores.push(store);
    await store.prepare();
    return store;
  };
  return {
    database,
    again,
    store: await again(),
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

function write(store: MysqlStore, ...payloads: readonly string[]) {
  return store.write({ id: crypto.randomUUID(), receipts: payloads.map((payload) => receiptOf(payload)) });
}

interface UniqueKey {
  readonly name: string;
}

const UNIQUE_KEYS = `SELECT index_name AS name FROM information_schema.statistics WHERE table_schema = DATABASE()
  AND table_name = 'ethereum_data' AND non_unique = 0 AND index_name <> 'PRIMARY' ORDER BY index_name`;

describeStore("MySQL on its own table", { pages: () => open() }, { test });
describeStore("MySQL on the Go server's table", { pages: () => open({ tables: GO_TABLE }) }, { test });
describeStore(
  "MySQL on the Python server's table",
  { pages: () => open({ tables: PYTHON_TABLE }) },
  { test },
);

describe("MysqlStore", () => {
  test("prepare() makes one table with one unique key when ten servers start at once, 20 times over", async () => {
    for (let round = 0; round < 20; round++) {
      await using database = await openMysqlDatabase(await sharedMysql(), { charset: "latin1" });
      const stores = Array.from({ length: 10 }, () => new MysqlStore(database.options));
      const charsets = await Promise.all(stores.map((store) => store.prepare()));
      expect(charsets).toEqual(Array.from({ length: 10 }, () => "utf8mb4"));
      expect(await database.rows<UniqueKey>(UNIQUE_KEYS)).toEqual([{ name: "idx_hash" }]);
      await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
    }
  });

  test("prepare() completes a table without its unique key, when ten servers start at once", async () => {
    await using database = await openMysqlDatabase(await sharedMysql(), { tables: GO_TABLE.slice(0, 1) });
    await database.connection.query(
      "INSERT INTO ethereum_data (hash, payload) VALUES ('a', 'a'), ('b', 'b')",
    );
    const stores = Array.from({ length: 10 }, () => new MysqlStore(database.options));
    await Promise.all(stores.map((store) => store.prepare()));
    await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
    expect(await database.rows<UniqueKey>(UNIQUE_KEYS)).toEqual([{ name: "idx_hash" }]);
    expect((await database.rows("SELECT id FROM ethereum_data")).length).toBe(2);
  });

  test("prepare() refuses a table that holds a page twice, and leaves it as it is", async () => {
    await using database = await openMysqlDatabase(await sharedMysql(), { tables: GO_TABLE.slice(0, 1) });
    await database.connection.query(
      "INSERT INTO ethereum_data (hash, payload) VALUES ('a', 'a'), ('a', 'a')",
    );
    await using store = new MysqlStore(database.options);
    await expect(store.prepare()).rejects.toThrow(
      "Cannot use the MySQL table ethereum_data as it has no unique key on hash and holds pages more than once",
    );
    expect(await database.rows<UniqueKey>(UNIQUE_KEYS)).toEqual([]);
    expect((await database.rows("SELECT id FROM ethereum_data")).length).toBe(2);
  });

  test("prepare() refuses a table of that name which is another", async () => {
    await using database = await openMysqlDatabase(await sharedMysql(), {
      tables: ["CREATE TABLE ethereum_data (id int, hash varchar(64))"],
    });
    await using store = new MysqlStore(database.options);
    await expect(store.prepare()).rejects.toThrow("has no column payload");
  });

  test.each([
    ["Go", GO_TABLE],
    ["Python", PYTHON_TABLE],
  ] as const)("prepare() leaves the table of the %s server as it is", async (_, tables) => {
    await using database = await openMysqlDatabase(await sharedMysql(), { tables });
    const show = () => database.rows("SHOW CREATE TABLE ethereum_data");
    const before = await show();
    await using store = new MysqlStore(database.options);
    await store.prepare();
    expect(await show()).toEqual(before);
  });

  test("prepare() needs no right to create tables where the table is there", async () => {
    await using database = await openMysqlDatabase(await sharedMysql(), { tables: GO_TABLE });
    const { user } = database.options;
    await database.connection.query(`REVOKE ALL ON ${user}.* FROM ${user}@'%'`);
    await database.connection.query(`GRANT SELECT, INSERT, UPDATE ON ${user}.* TO ${user}@'%'`);
    await using store = new MysqlStore(database.options);
    await store.prepare();
    expect(await write(store, "page")).toEqual([]);
  });

  test("write() burns no id for pages that are there, however often they come", async () => {
    await using opened = await open();
    await write(opened.store, "a", "b", "a");
    for (let copy = 0; copy < 20; copy++) await write(opened.store, "a", "b", "b");
    await write(await opened.again(), "a", "c");
    expect(await opened.database.rows("SELECT id, payload FROM ethereum_data ORDER BY id")).toEqual([
      { id: 1, payload: "a" },
      { id: 2, payload: "b" },
      { id: 3, payload: "c" },
    ]);
  });

  test("write() burns no id for pages that come in several batches at once", async () => {
    await using opened = await open();
    const pages = Array.from({ length: 200 }, (_, index) => `page ${index}`);
    const batches = [pages, pages.slice(0, 150), pages.slice(50), pages.toReversed()];
    await Promise.all(batches.map((batch) => write(opened.store, ...batch)));
    await write(opened.store, "the last");
    const [last] = await opened.database.rows<{ id: number }>("SELECT MAX(id) AS id FROM ethereum_data");
    expect(last?.id).toBe(201);
    expect(opened.store.tally).toEqual({ stored: 201, duplicates: 500 });
  });

  test("write() commits where statements are not committed by themselves", async () => {
    await using opened = await open();
    const { connection, options } = opened.database;
    await connection.query("SET GLOBAL autocommit = 0");
    await using store = new MysqlStore(options);
    await write(store, "page").finally(() => connection.query("SET GLOBAL autocommit = 1"));
    expect(await opened.store.countPages()).toBe(1);
  });

  test("write() stores what many servers write in other orders at once, whatever deadlocks that makes", async () => {
    await using opened = await open();
    const stores = await Promise.all(Array.from({ length: 8 }, () => opened.again()));
    const pages = Array.from({ length: 250 }, (_, index) => `page ${index}`);
    for (let round = 0; round < 5; round++) {
      const writes = stores.map((store, index) => {
        const shift = index * 31;
        const rotated = [...pages.slice(shift), ...pages.slice(0, shift)].map(
          (page) => `${page} of ${round}`,
        );
        return write(store, ...(index % 2 === 0 ? rotated : rotated.reverse()));
      });
      expect((await Promise.all(writes)).flat()).toEqual([]);
    }
    expect(await opened.store.countPages()).toBe(1250);
  });

  test("write() stays below the smallest usual max_allowed_packet", async () => {
    await using server = await startMysql({ flags: ["--max-allowed-packet=1M"] });
    await using database = await openMysqlDatabase({ ...server, user: "root", password: "" });
    await using store = new MysqlStore(database.options);
    await store.prepare();
    const pages = ["'", "é", "x"].flatMap((filler) =>
      Array.from({ length: 30 }, (_, index) => `${index}`.padEnd(filler === "é" ? 32_000 : 65_535, filler)),
    );
    expect(await write(store, ...pages)).toEqual([]);
    expect(await store.countPages()).toBe(90);
  });

  test("a write fails with the earlier one that it waits for, and not a time limit later", async () => {
    await using server = await startMysql();
    await using database = await openMysqlDatabase({ ...server, user: "root", password: "" });
    await using store = new MysqlStore({ ...database.options, timeoutMs: 1000 });
    await store.prepare();
    const locker = await createConnection({ host: server.host, port: server.port, user: "root" });
    await locker.query(`LOCK TABLES ${database.options.database}.ethereum_data WRITE`);
    const failures: string[] = [];
    const writes = ["first", "second"].map((name) => write(store, "page").catch(() => failures.push(name)));
    await Promise.race(writes);
    await new Promise((resolve) => setImmediate(resolve));
    expect(failures).toEqual(["first", "second"]);
    await locker.end();
  });

  test("write() refuses what the character set cannot hold, and stores the rest of the batch", async () => {
    await using opened = await open({ tables: GO_TABLE, charset: "latin1" });
    expect(await opened.store.prepare()).toBe("latin1");
    const good = Array.from({ length: 60 }, (_, number) => `page ${number} é`);
    const bad = ["\u{1f600}", "日本", "Ω"];
    const refusals = await write(opened.store, ...good.slice(0, 20), ...bad, ...good.slice(20));
    expect(refusals.toSorted((a, b) => (a.hash < b.hash ? -1 : 1))).toEqual(
      bad
        .map((payload) => ({
          hash: receiptOf(payload).hash,
          reason: "Cannot store the message as it is outside the character set of the MySQL table",
        }))
        .toSorted((a, b) => (a.hash < b.hash ? -1 : 1)),
    );
    const pages = await opened.store.readPages(good.map((payload) => receiptOf(payload).hash));
    expect([...pages.values()].toSorted()).toEqual(good.toSorted());
    expect(await opened.store.countPages()).toBe(good.length);
    await write(opened.store, "Ω", "Ω", "page 0 é");
    expect(opened.store.tally).toEqual({ stored: good.length, duplicates: 1 });
  });

  test("write() refuses what is too long for the column instead of truncating it", async () => {
    await using opened = await open();
    const refusals = await write(opened.store, "x".repeat(65_536), "fits");
    expect(refusals.map(({ reason }) => reason)).toEqual([
      "Cannot store the message as it does not fit the MySQL table",
    ]);
    expect(await opened.store.countPages()).toBe(1);
  });

  test("write() keeps quotes and backslashes in a database whose mode changes what they mean", async () => {
    await using opened = await open();
    await opened.database.connection.query("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'");
    try {
      const store = await opened.again();
      const payload = `'); DROP TABLE ethereum_data; -- \\' " \\`;
      await write(store, payload);
      expect([...(await store.readPages([receiptOf(payload).hash])).values()]).toEqual([payload]);
    } finally {
      await opened.database.connection.query("SET GLOBAL sql_mode = DEFAULT");
    }
  });

  test("an error names the server and neither the password nor the query", async () => {
    await using database = await openMysqlDatabase(await sharedMysql());
    await using store = new MysqlStore({ ...database.options, password: "wrong secret" });
    const error = await store.check().catch((reason: Error) => reason);
    expect(String(error)).toMatch(/^Error: MySQL at \S+ cannot be used: Access denied/);
    expect(Bun.inspect(error)).not.toContain("wrong secret");
    await using lost = new MysqlStore(database.options);
    expect(String(await write(lost, "the payload").catch((reason: Error) => reason))).not.toContain(
      "the payload",
    );
  });
});
