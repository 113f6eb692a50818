import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { openSqliteStore } from "../../lib/store/sqlite.ts";
import { openTempFolder } from "../support/temp_folder.ts";
import { describeStore } from "./contract.ts";

async function open() {
  const folder = await openTempFolder();
  const file = folder.file("eth.db");
  const store = openSqliteStore({ file });
  return {
    file,
    store,
    again: async () => openSqliteStore({ file }),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function receipt(payload: string) {
  const hash = new Bun.CryptoHasher("sha256").update(payload).digest("hex");
  return { hash, payload, ip: "127.0.0.1", receivedAtSeconds: 1 };
}

describeStore("SQLite", { pages: open, stats: open });

describe("openSqliteStore()", () => {
  test("makes the tables of the contract, in WAL mode and durably", async () => {
    await using opened = await open();
    await opened.store.write({ id: "1", receipts: [receipt("page")] });
    using database = new Database(opened.file);
    expect([
      database.query("SELECT id, payload, received_at FROM ethereum_data").all(),
      database.query("SELECT ip, messages FROM ip_addresses").all(),
      database.query("PRAGMA journal_mode").get(),
    ]).toEqual([
      [{ id: 1, payload: "page", received_at: 1 }],
      [{ ip: "127.0.0.1", messages: 1 }],
      { journal_mode: "wal" },
    ]);
  });

  test("for reading changes nothing and makes no file", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("missing.db");
    expect(() => openSqliteStore({ file, write: false })).toThrow(`Cannot open the database file ${file}: `);
    expect(await Bun.file(file).exists()).toBe(false);

    await using opened = await open();
    await using reader = openSqliteStore({ file: opened.file, write: false });
    await expect(reader.write({ id: "1", receipts: [receipt("page")] })).rejects.toThrow();
  });

  test("says why a file cannot be used", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("eth.db");
    await Bun.write(file, "this is no database, but it is long enough to be taken for one ".repeat(20));
    expect(() => openSqliteStore({ file })).toThrow(
      `Cannot open the database file ${file}: file is not a database`,
    );
    const missing = folder.file("missing/eth.db");
    expect(() => openSqliteStore({ file: missing })).toThrow(
      `Cannot open the database file ${missing}: there is no folder ${folder.file("missing")}`,
    );
    expect(() => openSqliteStore({ file: folder.path })).toThrow(
      `Cannot open the database file ${folder.path}: it is a folder`,
    );
  });

  test("write() rejects as a whole when it fails in the middle", async () => {
    await using opened = await open();
    using database = new Database(opened.file);
    database.run(
      "CREATE TRIGGER full BEFORE INSERT ON ip_addresses BEGIN SELECT RAISE(ABORT, 'no room'); END",
    );
    const writing = opened.store.write({ id: "1", receipts: [receipt("page")] });
    await expect(writing).rejects.toThrow("no room");
    expect(await opened.store.listHashes({ limit: 10 })).toEqual([]);
  });
});
