import { describe, expect } from "bun:test";
import { RedisStore } from "../../lib/store/redis.ts";
import { sharedRedis, testWith } from "../services.ts";
import { startRedis } from "../support/database_server.ts";
import { startHoldingProxy } from "../support/holding_proxy.ts";
import { receiptOf } from "../support/receipts.ts";
import { openRedisDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";
import { describeStore } from "./contract.ts";

const test = testWith(["redis"]);

/** A store over an empty database. */
async function open() {
  const database = await openRedisDatabase(await sharedRedis());
  const stores: RedisStore[] = [];
  const again = async () => {
    const store = new RedisStore(database.options);
    stores.push(store);
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

describeStore("Redis", { stats: open }, { test });

describe("RedisStore", () => {
  test("write() uses the keys of the older implementations", async () => {
    await using opened = await open();
    const { hash } = receiptOf("page");
    await opened.store.write({ id: "1", receipts: [receiptOf("page", { at: 1_795_329_806.5789 })] });
    const { redis } = opened.database;
    expect(await redis.zrange("eth:hashes", "0", "-1", "WITHSCORES")).toEqual([hash, "1795329806.5789001"]);
    expect(await redis.hgetall("eth:ip_addresses")).toEqual({ "127.0.0.1": "1" });
  });

  test("write() under the same batch id counts once, by whichever server", async () => {
    await using opened = await open();
    const batch = { id: "1", receipts: [receiptOf("page"), receiptOf("other")] };
    await opened.store.write(batch);
    await (await opened.again()).write(batch);
    await opened.store.write(batch);
    expect(await opened.store.listClients()).toEqual([{ ip: "127.0.0.1", messages: 2 }]);
  });

  test("write() remembers only the batches that are in doubt", async () => {
    await using opened = await open();
    for (let id = 0; id < 50; id++) await opened.store.write({ id: `${id}`, receipts: [receiptOf("page")] });
    const { redis } = opened.database;
    expect((await redis.keys("eth:batch:*")).length).toBeLessThanOrEqual(3);
    expect(await redis.ttl("eth:batch:49")).toBeGreaterThan(0);
  });

  test("write() knows a repeated batch again when what was sent at first arrives late", async () => {
    await using opened = await open();
    const batch = { id: "repeated", receipts: [receiptOf("page")] };
    await opened.store.write({ ...batch, isRepeated: true });
    for (const id of ["1", "2", "3"]) await opened.store.write({ id, receipts: [receiptOf("page")] });
    await (await opened.again()).write(batch);
    expect(await opened.store.listClients()).toEqual([{ ip: "127.0.0.1", messages: 4 }]);
    expect(await opened.database.redis.ttl("eth:batch:repeated")).toBeWithin(1, 3601);
  });

  test("write() fails when Redis may take no more memory", async () => {
    await using server = await startRedis();
    await using database = await openRedisDatabase({ ...server, user: "", password: "" });
    await using store = new RedisStore(database.options);
    await store.write({ id: "1", receipts: [receiptOf("page")] });
    await database.redis.config("SET", "maxmemory", "1mb");
    for (const id of ["2", "3"])
      await expect(store.write({ id, receipts: [receiptOf("page")] })).rejects.toThrow("maxmemory");
    await database.redis.config("SET", "maxmemory", "0");
    await store.write({ id: "2", receipts: [receiptOf("page")] });
    expect(await store.listClients()).toEqual([{ ip: "127.0.0.1", messages: 2 }]);
  });

  test("a write whose answer was lost after Redis had applied it is counted once when it is repeated", async () => {
    await using opened = await open();
    const { redis, options } = opened.database;
    await using proxy = await startHoldingProxy({ port: options.port });
    await using store = new RedisStore({ ...options, port: proxy.port, timeoutMs: 500 });
    await store.check();
    const batch = { id: "in doubt", receipts: [receiptOf("page", { ip: "10.0.0.1" })] };
    proxy.hold();
    await expect(store.write(batch)).rejects.toThrow("there was no answer in time");
    await until(() => redis.hget("eth:ip_addresses", "10.0.0.1"), { what: "the write that Redis applied" });
    proxy.cut();
    await until(() => store.write(batch).then(() => true), { what: "a new connection" });
    expect(await store.listClients()).toEqual([{ ip: "10.0.0.1", messages: 1 }]);
  });

  test("refuses a database that Redis does not have, rather than use another", async () => {
    await using opened = await open();
    await using store = new RedisStore({ ...opened.database.options, db: 99_999 });
    const write = () => store.write({ id: "1", receipts: [receiptOf("page")] });
    for (const use of [write, () => store.check(), write])
      await expect(use()).rejects.toThrow("DB index is out of range");
    expect(await opened.database.redis.keys("*")).toEqual([]);
  });

  test("an error names the server and not the password", async () => {
    await using server = await startRedis();
    await using database = await openRedisDatabase({ ...server, user: "", password: "" });
    await database.redis.config("SET", "requirepass", "right secret");
    await using store = new RedisStore({ ...database.options, password: "wrong secret" });
    const error = await store.check().catch((reason: Error) => reason);
    expect(String(error)).toMatch(/^Error: Redis at \S+ cannot be used: (NOAUTH|WRONGPASS|ERR)/);
    expect(Bun.inspect(error)).not.toContain("secret");
    await using right = new RedisStore({ ...database.options, password: "right secret" });
    await right.check();
  });
});
