import { expect } from "bun:test";
import { createPool, type Pool } from "mysql2/promise";
import type { Redis } from "ioredis";
import { renderBlockPage } from "../lib/block_page.ts";
import { sharedMysql, sharedRedis, testWith } from "./services.ts";
import { connectNetstring, okFor } from "./support/netstring_client.ts";
import { startEntry } from "./support/program.ts";
import { createRandom } from "./support/random.ts";
import { shuffle } from "./support/shuffle.ts";
import { storeEnvironment } from "./support/store_flags.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { openMysqlDatabase, openRedisDatabase } from "./support/test_database.ts";

const PAGES = 2000;
const CLIENTS = 8;
const OWN_SERVERS = 3;
const TEST_TIMEOUT_MS = 120_000;
const GO_IP = "10.0.0.1";
const PYTHON_IP = "10.0.0.2";

interface Stores {
  readonly mysql: Pool;
  readonly redis: Redis;
}

interface Peer {
  readonly receive: (page: string) => Promise<void>;
  /** Messages that it counted for its client. */
  counted: number;
  /** Inserts that another server was faster than; each burns an id. */
  lostRaces: number;
}

function hashOf(page: string): string {
  return okFor(page).slice("ok ".length);
}

async function isStored({ mysql }: Stores, hash: string): Promise<boolean> {
  const [rows] = await mysql.query("SELECT id FROM ethereum_data WHERE hash = ?", [hash]);
  return (rows as unknown[]).length > 0;
}

async function insert({ mysql }: Stores, page: string, peer: Peer): Promise<void> {
  try {
    await mysql.query("INSERT INTO ethereum_data (hash, payload) VALUES (?, ?)", [hashOf(page), page]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ER_DUP_ENTRY") throw error;
    peer.lostRaces++;
  }
}

/** A server that takes the Go server's steps, in its order: SELECT, INSERT, ZADD NX, HINCRBY. */
function imitateGo(stores: Stores): Peer {
  const peer: Peer = {
    counted: 0,
    lostRaces: 0,
    async receive(page) {
      const receivedAt = Date.now() / 1000;
      if (!(await isStored(stores, hashOf(page)))) await insert(stores, page, peer);
      await stores.redis.zadd("eth:hashes", "NX", receivedAt, hashOf(page));
      await stores.redis.hincrby("eth:ip_addresses", GO_IP, 1);
      peer.counted++;
    },
  };
  return peer;
}

/** A server that takes the Python server's steps, in its order: ZSCORE, ZADD, HINCRBY, SELECT, INSERT. */
function imitatePython(stores: Stores): Peer {
  const peer: Peer = {
    counted: 0,
    lostRaces: 0,
    async receive(page) {
      const receivedAt = Date.now() / 1000;
      if ((await stores.redis.zscore("eth:hashes", hashOf(page))) === null) {
        await stores.redis.zadd("eth:hashes", receivedAt, hashOf(page));
        await stores.redis.hincrby("eth:ip_addresses", PYTHON_IP, 1);
        peer.counted++;
      }
      if (!(await isStored(stores, hashOf(page)))) await insert(stores, page, peer);
    },
  };
  return peer;
}

testWith(["mysql", "redis"])(
  "three servers and two older ones, which get the same pages in other orders, store each page once",
  async () => {
    await using opened = new AsyncDisposableStack();
    const folder = opened.use(await openTempFolder());
    const database = opened.use(await openMysqlDatabase(await sharedMysql()));
    const { redis, options: redisOptions } = opened.use(await openRedisDatabase(await sharedRedis()));
    const env = storeEnvironment({ mysql: database.options, redis: redisOptions });
    const programs = Array.from({ length: OWN_SERVERS }, (_, index) =>
      opened.use(startEntry(["server.ts", "--port", "0", "--spool", folder.file(`${index}.db`)], { env })),
    );
    const ports = await Promise.all(programs.map((program) => program.port()));

    const mysql = createPool({ ...database.options, connectionLimit: CLIENTS });
    opened.defer(() => mysql.end());
    const [go, python] = [imitateGo({ mysql, redis }), imitatePython({ mysql, redis })];

    let sentToOurs = 0;
    const pages = Array.from({ length: PAGES }, (_, number) => renderBlockPage(BigInt(number)));
    const runClient = async (seed: number) => {
      await using connections = new AsyncDisposableStack();
      const ours = await Promise.all(ports.map((port) => connectNetstring({ port })));
      for (const connection of ours) connections.use(connection);
      const receivers = [
        ...ours.map((connection) => (page: string) => connection.send(page)),
        go.receive,
        python.receive,
      ];
      for (const [index, page] of shuffle(pages, createRandom(seed)).entries()) {
        await receivers[index % receivers.length]?.(page);
        if (index % receivers.length < ours.length) sentToOurs++;
      }
      const replies = await Promise.all(
        ours.map((connection) => connection.receive(PAGES / receivers.length)),
      );
      expect(replies.flat().every((reply) => reply.startsWith("ok "))).toBe(true);
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => runClient(index + 1)));
    for (const program of programs) program.kill("SIGTERM");
    expect(await Promise.all(programs.map(async (program) => (await program.ended).status))).toEqual([
      0, 0, 0,
    ]);

    const [ids] = await database.rows<{ stored: number; hashes: number; highest: number }>(
      "SELECT COUNT(*) AS stored, COUNT(DISTINCT hash) AS hashes, MAX(id) AS highest FROM ethereum_data",
    );
    const members = await redis.zrange("eth:hashes", "0", "-1");
    const counts = await redis.hgetall("eth:ip_addresses");
    const burnt = (ids?.highest ?? 0) - PAGES;
    console.log(
      `fleet: ${CLIENTS * PAGES} messages, ${ids?.stored} rows, ${members.length} members, ` +
        `${burnt} ids burnt by races (${go.lostRaces + python.lostRaces} of them by the older servers)`,
    );
    expect(ids).toMatchObject({ stored: PAGES, hashes: PAGES });
    expect(members.toSorted()).toEqual(pages.map(hashOf).toSorted());
    expect(counts).toEqual({
      "127.0.0.1": `${sentToOurs}`,
      [GO_IP]: `${go.counted}`,
      [PYTHON_IP]: `${python.counted}`,
    });
  },
  TEST_TIMEOUT_MS,
);
