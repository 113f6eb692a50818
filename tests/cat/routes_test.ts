import { describe, expect, test } from "bun:test";
import { openSqliteStore } from "../../lib/store/sqlite.ts";
import { startEntry } from "../support/program.ts";
import { openTempFolder } from "../support/temp_folder.ts";
import { until } from "../support/until.ts";

/** The stats API as a user runs it, over a database file that is not there yet. */
async function openStats() {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await openTempFolder());
  const file = folder.file("eth.db");
  const program = opened.use(startEntry(["stats.ts", "--port", "0", "--sqlite", file]));
  const url = `http://127.0.0.1:${await program.port()}`;
  const owned = opened.move();
  return {
    program,
    get: (path: string) => fetch(url + path, { redirect: "manual" }),
    async text(path: string) {
      return (await fetch(url + path)).text();
    },
    async store(rows: readonly { hash: string; at: number; ip?: string; payload?: string }[]) {
      await using store = openSqliteStore({ file });
      const receipts = rows.map(({ hash, at, ip = "127.0.0.1", payload = "page" }) => ({
        hash,
        payload,
        ip,
        receivedAtSeconds: at,
      }));
      await store.write({ id: crypto.randomUUID(), receipts });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const OLDER = "a".padStart(64, "0");
const NEWER = "84c11c5f8ad1d6ad02a0c2b86dbca2c2eb77dca2b8f3cdb1dcbf6d0d9ad3687f";

describe("the stats API", () => {
  test("is empty while there is no database file, and then lists what is in it, to the byte", async () => {
    await using stats = await openStats();
    expect([await stats.text("/_cat/hashes"), await stats.text("/_cat/clients")]).toEqual([
      "hash    timestamp",
      "client    count",
    ]);
    await stats.store([
      { hash: OLDER, at: 1_795_329_800.1, ip: "127.0.0.1" },
      { hash: NEWER, at: 1_795_329_806.5789, ip: "10.20.30.40" },
    ]);
    // Lists may be a second old.
    await until(async () => (await stats.text("/_cat/hashes")).includes(NEWER));
    await until(async () => (await stats.text("/_cat/clients")).includes("127.0.0.1"));
    expect([await stats.text("/_cat/hashes"), await stats.text("/_cat/clients")]).toEqual([
      [
        "hash                                                                    timestamp",
        `${NEWER}  1795329806.5789`,
        `${OLDER}  1795329800.1000`,
      ].join("\n"),
      ["client         count", "127.0.0.1          1", "10.20.30.40        1"].join("\n"),
    ]);
  });

  test("gives a page as it was received", async () => {
    await using stats = await openStats();
    const payload = '\ufeff<script>alert("é")</script>\r\n\n';
    await stats.store([{ hash: NEWER, at: 1, payload }]);
    const response = await stats.get(`/_cat/hashes/${NEWER}`);
    expect({ status: response.status, bytes: Buffer.from(await response.bytes()).toString() }).toEqual({
      status: 200,
      bytes: payload,
    });
  });

  test("answers an unknown hash with 404", async () => {
    await using stats = await openStats();
    const response = await stats.get(`/_cat/hashes/${OLDER}`);
    expect([response.status, await response.text()]).toEqual([404, "Hash not found"]);
  });

  test("lists the last 100 hashes, equal times in descending order of the hash", async () => {
    await using stats = await openStats();
    const rows = Array.from({ length: 130 }, (_, number) => ({
      hash: number.toString(16).padStart(64, "0"),
      at: 1_700_000_000 + Math.floor(number / 2),
    }));
    await stats.store(rows);
    const listed = (await stats.text("/_cat/hashes")).split("\n").slice(1);
    expect(listed.map((line) => line.slice(0, 64))).toEqual(
      rows
        .map(({ hash }) => hash)
        .toReversed()
        .slice(0, 100),
    );
  });

  test("leads from / to the list of what there is, as plain text", async () => {
    await using stats = await openStats();
    const root = await stats.get("/");
    expect([root.status, root.headers.get("location")]).toEqual([302, "_cat"]);
    for (const path of ["/_cat", "/_cat/hashes", "/_cat/clients", `/_cat/hashes/${OLDER}`]) {
      const type = (await stats.get(path)).headers.get("content-type");
      expect({ path, type }).toEqual({ path, type: "text/plain; charset=utf-8" });
    }
    expect(await stats.text("/_cat")).toStartWith("=^.^=\n/_cat/hashes\n/_cat/hashes/{hash}\n/_cat/clients");
    expect((await stats.get("/nothing")).status).toBe(404);
  });
});
