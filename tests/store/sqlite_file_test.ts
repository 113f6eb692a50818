import { describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { openSqliteStore } from "../../lib/store/sqlite.ts";
import { SqliteFile } from "../../lib/store/sqlite_file.ts";
import { openTempFolder } from "../support/temp_folder.ts";

const HASH = "a".repeat(64);

async function writePage(file: string, payload: string): Promise<void> {
  await using store = openSqliteStore({ file });
  await store.write({ id: payload, receipts: [{ hash: HASH, payload, ip: "::1", receivedAtSeconds: 1 }] });
}

describe("SqliteFile", () => {
  test("is empty before there is a file and while it has no tables, and then picks it up", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("eth.db");
    await using reader = new SqliteFile({ file });
    const read = async () => [
      (await reader.readPages([HASH])).get(HASH),
      await reader.listHashes({ limit: 1 }),
      await reader.listClients(),
    ];
    expect(await read()).toEqual([undefined, [], []]);
    await Bun.write(file, "");
    expect(await read()).toEqual([undefined, [], []]);
    await writePage(file, "page");
    expect(await read()).toEqual([
      "page",
      [{ hash: HASH, receivedAtSeconds: 1 }],
      [{ ip: "::1", messages: 1 }],
    ]);
  });

  test("is empty when the file is gone, and follows one that takes its place", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("eth.db");
    await using reader = new SqliteFile({ file });
    await writePage(file, "old");
    expect((await reader.readPages([HASH])).get(HASH)).toBe("old");
    for (const name of ["eth.db", "eth.db-wal", "eth.db-shm"]) await rm(folder.file(name), { force: true });
    expect(await reader.listClients()).toEqual([]);
    await writePage(file, "new");
    expect((await reader.readPages([HASH])).get(HASH)).toBe("new");
  });

  test("sees what a server writes meanwhile", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("eth.db");
    await using reader = new SqliteFile({ file });
    await using store = openSqliteStore({ file });
    expect(await reader.listClients()).toEqual([]);
    const receipt = { hash: HASH, payload: "page", ip: "::1", receivedAtSeconds: 1 };
    await store.write({ id: "1", receipts: [receipt, receipt] });
    expect(await reader.listClients()).toEqual([{ ip: "::1", messages: 2 }]);
  });
});
