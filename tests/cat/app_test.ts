import { describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { createCat } from "../../lib/cat/app.ts";
import { SqliteFile } from "../../lib/store/sqlite_file.ts";
import { openSqliteStore } from "../../lib/store/sqlite.ts";
import { openCat, receiptOf } from "../support/cat.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { openTempFolder } from "../support/temp_folder.ts";

const HOSTILE = `<script>alert(1)</script>\u0000\u001b[2J`;
const AUTH = { user: "anna", password: "s3:cr€t" };
const basic = (credentials: string) => ({
  authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
});

describe("pages", () => {
  test("a page is answered as it was received, as text that no browser interprets", async () => {
    const receipt = receiptOf(HOSTILE);
    await using cat = await openCat({ receipts: [receipt] });
    const response = await cat.get(`/_cat/hashes/${receipt.hash}`);
    expect({
      status: response.status,
      type: response.headers.get("content-type"),
      options: response.headers.get("x-content-type-options"),
      body: await response.text(),
    }).toEqual({ status: 200, type: "text/plain; charset=utf-8", options: "nosniff", body: HOSTILE });
  });

  test("control characters of clients and hosts are made visible in tables", async () => {
    const row = { port: 1, pid: 1, startedAtSeconds: 0, connections: 0, received: 0, stored: 0, spooled: 0 };
    const servers = [{ ...row, host: HOSTILE, version: "1\n2" }];
    await using cat = await openCat({ receipts: [receiptOf("a", { ip: HOSTILE })], servers });
    const shown = "<script>alert(1)</script>\\x00\\x1b[2J";
    expect(await cat.text("/_cat/clients?v=false")).toBe(`${shown}  1`);
    expect(await cat.text("/_cat/servers?v=false&h=host,version")).toBe(`${shown}  1\\n2`);
  });

  test.each(["0".repeat(64), "abc", "A".repeat(64), "%00", "..%2f..%2fetc%2fpasswd", "a'%20OR%201=1"])(
    "the hash %s that is not there is answered 404 with the older implementations' body",
    async (hash) => {
      await using cat = await openCat();
      const text = await cat.get(`/_cat/hashes/${hash}`);
      expect({ status: text.status, body: await text.text() }).toEqual({
        status: 404,
        body: "Hash not found",
      });
      const json = await cat.get(`/_cat/hashes/${hash}?format=json`);
      const cause = { type: "resource_not_found_exception", reason: "Hash not found" };
      expect({ status: json.status, body: await json.json() }).toEqual({
        status: 404,
        body: { error: { root_cause: [cause], ...cause }, status: 404 },
      });
    },
  );
});

describe("HTTP", () => {
  const PATHS = [
    "/_cat",
    "/_cat/hashes",
    "/_cat/clients",
    "/_cat/blocks",
    "/_cat/count",
    "/_cat/health",
    "/_cat/servers",
  ];

  test.each(PATHS)("HEAD %s gives the headers of GET and no body", async (path) => {
    await using cat = await openCat();
    const [get, head] = [await cat.get(path), await cat.get(path, { method: "HEAD" })];
    expect(head.status).toBe(200);
    expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
    expect(await head.text()).toBe("");
    expect(head.headers.get("content-length")).toBe(`${(await get.arrayBuffer()).byteLength}`);
  });

  test.each(PATHS)("%s/ equals %s", async (path) => {
    await using cat = await openCat();
    const [plain, slashed] = [await cat.get(path), await cat.get(`${path}/`)];
    expect(slashed.status).toBe(200);
    if (!path.endsWith("health")) expect(await slashed.text()).toBe(await plain.text());
  });

  test("a list says that it may be a second old, a page that it stays as it is", async () => {
    const receipt = receiptOf("a");
    await using cat = await openCat({ receipts: [receipt] });
    const cacheControlOf = async (path: string) => (await cat.get(path)).headers.get("cache-control");
    expect(await cacheControlOf("/_cat/hashes")).toBe("max-age=1");
    expect(await cacheControlOf(`/_cat/hashes/${receipt.hash}`)).toBe("max-age=31536000, immutable");
    expect(await cacheControlOf("/_cat/hashes/abc")).toBe("no-store");
  });

  test("a large answer is compressed for those who take it", async () => {
    const receipts = Array.from({ length: 100 }, (_, index) => receiptOf(`page ${index}`));
    await using cat = await openCat({ receipts });
    const response = await cat.get("/_cat/hashes", { headers: { "accept-encoding": "gzip" } });
    expect(response.headers.get("content-encoding")).toBe("gzip");
    const body = new Uint8Array(await response.arrayBuffer());
    expect(gunzipSync(body).toString()).toBe(await cat.text("/_cat/hashes"));
  });

  test("another method is refused", async () => {
    await using cat = await openCat();
    const response = await cat.get("/_cat/hashes", { method: "DELETE" });
    expect({
      status: response.status,
      allow: response.headers.get("allow"),
      body: await response.text(),
    }).toEqual({
      status: 405,
      allow: "GET, HEAD",
      body: "Cannot use method [DELETE] on [/_cat/hashes]: expected GET or HEAD",
    });
  });

  test("a path that is not there is answered 404, in the form that is asked for", async () => {
    await using cat = await openCat();
    const reason = "Cannot find [/_cat/nothing]: /_cat lists what there is";
    expect(await cat.text("/_cat/nothing")).toBe(reason);
    const cause = { type: "resource_not_found_exception", reason };
    const json = await cat.get("/_cat/nothing", { headers: { accept: "application/json" } });
    expect(await json.json()).toEqual({ error: { root_cause: [cause], ...cause }, status: 404 });
  });

  const ACCEPTS = [
    [undefined, false],
    ["*/*", false],
    ["text/plain", false],
    ["application/json", true],
    ["application/json, text/plain, */*", true],
    ["text/plain, application/json", false],
    ["text/plain;q=0.5, application/json", true],
    ["application/json;q=0", false],
    ["text/html,application/xhtml+xml,*/*;q=0.8", false],
  ] as const;
  test.each(ACCEPTS)("Accept: %s means JSON: %p; format beats it", async (accept, isJson) => {
    await using cat = await openCat();
    const typeOf = async (path: string) =>
      (await cat.get(path, { headers: accept ? { accept } : {} })).headers.get("content-type");
    const [text, json] = ["text/plain; charset=utf-8", "application/json; charset=utf-8"];
    expect(await typeOf("/_cat/count")).toBe(isJson ? json : text);
    expect(await typeOf("/_cat/count?format=text")).toBe(text);
    expect(await typeOf("/_cat/count?format=json")).toBe(json);
  });
});

describe("the cache", () => {
  test("any number of requests at once cost the store one query", async () => {
    await using cat = await openCat({ receipts: [receiptOf("a")] });
    let queries = 0;
    const stats = new Proxy(cat.store, {
      get(store, name) {
        if (name === "listHashes") queries++;
        const value: unknown = Reflect.get(store, name, store);
        return typeof value === "function" ? value.bind(store) : value;
      },
    });
    const app = createCat({ pages: stats, stats, log: cat.log });
    const bodies = await Promise.all(
      Array.from({ length: 500 }, async () => (await app.request("/_cat/hashes")).text()),
    );
    expect({ queries, bodies: new Set(bodies).size }).toEqual({ queries: 1, bodies: 1 });
  });
});

describe("a store that is away", () => {
  const PATHS = [
    "/_cat/hashes",
    "/_cat/clients",
    "/_cat/blocks",
    "/_cat/count",
    "/_cat/servers",
    `/_cat/hashes/${"0".repeat(64)}`,
  ];

  test.each(PATHS)(
    "%s is answered 503 without what only its owner may know, and works again by itself",
    async (path) => {
      await using folder = await openTempFolder();
      const file = folder.file("secret-name.db");
      await Bun.write(file, "this is no database, but long enough to be taken for one".repeat(100));
      await using reader = new SqliteFile({ file });
      const log = createRecordingLog();
      const app = createCat({ pages: reader, stats: reader, log });
      const response = await app.request(path);
      const reason = "Cannot read SQLite now: try again in 5 s";
      expect({
        status: response.status,
        retryAfter: response.headers.get("retry-after"),
        body: await response.text(),
      }).toEqual({ status: 503, retryAfter: "5", body: reason });
      const cause = { type: "store_unavailable_exception", reason };
      const json = await app.request(path, { headers: { accept: "application/json" } });
      expect(await json.json()).toEqual({ error: { root_cause: [cause], ...cause }, status: 503 });
      expect(log.complaints).toEqual([expect.stringContaining("Cannot read SQLite: ")]); // once

      await Bun.file(file).delete();
      await using _store = openSqliteStore({ file });
      expect((await app.request(path)).status).toBe(path.endsWith("0") ? 404 : 200);
    },
  );

  test("/_cat/health and /readyz say so", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("eth.db");
    await Bun.write(file, "no database".repeat(100));
    await using reader = new SqliteFile({ file });
    const app = createCat({ pages: reader, stats: reader, log: createRecordingLog() });
    expect(await (await app.request("/_cat/health?format=json")).json()).toEqual([
      { store: "SQLite", state: "away", latency: null, spooled: null },
    ]);
    const ready = await app.request("/readyz");
    expect({ status: ready.status, body: await ready.text() }).toEqual({ status: 503, body: "SQLite away" });
    expect((await app.request("/healthz")).status).toBe(200);
  });

  test("a store that never answers is away after a while", async () => {
    await using cat = await openCat();
    const stats = Object.create(cat.store, {
      name: { value: "Redis" },
      listHashes: { value: () => new Promise(() => {}) },
    });
    const app = createCat({ pages: cat.store, stats, log: cat.log, timeoutMs: 20 });
    const response = await app.request("/_cat/hashes");
    expect({ status: response.status, body: await response.text() }).toEqual({
      status: 503,
      body: "Cannot read Redis now: try again in 5 s",
    });
  });

  test("an error of the program itself is answered 500 and logged with its stack", async () => {
    await using cat = await openCat({
      metrics: {
        contentType: "text/plain",
        observeRequest() {},
        async render() {
          throw new TypeError("secret");
        },
      },
    });
    const response = await cat.get("/metrics");
    expect({ status: response.status, body: await response.text() }).toEqual({
      status: 500,
      body: "Cannot answer because of an error of this program: its log tells more",
    });
    expect(cat.log.complaints).toEqual([
      expect.stringMatching(/Cannot answer \/metrics: TypeError: secret[^]+at /),
    ]);
  });
});

describe("/readyz", () => {
  test("names each store once", async () => {
    await using cat = await openCat();
    expect(await cat.text("/readyz")).toBe("SQLite up");
  });
});

describe("--auth", () => {
  const PATHS = [
    "/",
    "/_cat",
    "/_cat/hashes",
    "/_cat/hashes/abc",
    "/readyz",
    "/metrics",
    "/dashboard",
    "/nothing",
  ];

  test.each(PATHS)("%s asks for a user and a password", async (path) => {
    await using cat = await openCat({ auth: AUTH });
    const refused = [
      {},
      basic("anna:wrong"),
      basic("bert:s3:cr€t"),
      basic("anna"),
      { authorization: "Bearer x" },
    ];
    for (const headers of refused) {
      const response = await cat.get(path, { headers });
      expect({
        status: response.status,
        challenge: response.headers.get("www-authenticate"),
        body: await response.text(),
      }).toEqual({
        status: 401,
        challenge: 'Basic realm="stats"',
        body: "Cannot answer without a user and a password that are right",
      });
    }
    expect((await cat.get(path, { headers: basic("anna:s3:cr€t") })).status).not.toBe(401);
  });

  test("those who ask for JSON are refused in JSON", async () => {
    await using cat = await openCat({ auth: AUTH });
    const response = await cat.get("/_cat/count", { headers: { accept: "application/json" } });
    expect(await response.json()).toMatchObject({ error: { type: "security_exception" }, status: 401 });
  });

  test("/healthz asks nobody", async () => {
    await using cat = await openCat({ auth: AUTH });
    expect(await cat.text("/healthz")).toBe("ok");
  });
});

describe("elsewhere than Bun", () => {
  test("the API is bundled for Node.js and needs nothing of Bun", async () => {
    const { success, outputs } = await Bun.build({
      entrypoints: [`${import.meta.dir}/../../lib/cat/app.ts`],
      target: "node",
    });
    const bundle = (await outputs[0]?.text()) ?? "";
    expect({ success, mentions: bundle.match(/\bBun\.\w+|bun:\w+/g) }).toEqual({
      success: true,
      mentions: null,
    });
    expect(bundle).toContain("=^.^=");
  });
});
