import { describe, expect } from "bun:test";
import { renderBlockPage } from "../lib/block_page.ts";
import { testWith } from "./services.ts";
import { startMysql, startRedis, takeFreePort, type DatabaseServer } from "./support/database_server.ts";
import { connectNetstring, okFor } from "./support/netstring_client.ts";
import { startEntry, type Program } from "./support/program.ts";
import { storeEnvironment } from "./support/store_flags.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { openMysqlDatabase, type MysqlDatabase } from "./support/test_database.ts";
import { until } from "./support/until.ts";
import { Redis } from "ioredis";
import { createConnection } from "mysql2/promise";

const test = testWith(["mysql", "redis"], { own: true });

const MESSAGES = 5000;
const CONNECTIONS = 8;
const WINDOW = 10;
const FROZEN_MS = 20_000;
const TEST_TIMEOUT_MS = 120_000;
const PATIENCE = { timeoutMs: 60_000 };

/** A server over databases of its own, and the messages that were sent to it. */
class Scene implements AsyncDisposable {
  readonly #opened: AsyncDisposableStack;
  readonly #env: Record<string, string>;
  readonly #database: MysqlDatabase;
  readonly port: number;
  readonly spool: string;
  server: Program;
  sent = 0;
  acknowledged = 0;

  private constructor(
    readonly mysql: DatabaseServer,
    readonly redis: DatabaseServer,
    { opened, database, spool }: { opened: AsyncDisposableStack; database: MysqlDatabase; spool: string },
  ) {
    this.#opened = opened;
    this.#database = database;
    this.#env = storeEnvironment({ mysql: database.options, redis });
    this.port = takeFreePort();
    this.spool = spool;
    this.server = this.startServer();
  }

  static async open(): Promise<Scene> {
    const opened = new AsyncDisposableStack();
    const folder = opened.use(await openTempFolder());
    const mysql = opened.use(await startMysql());
    const redis = opened.use(await startRedis({ flags: ["--appendonly", "yes"] }));
    const database = await openMysqlDatabase({ ...mysql, user: "root", password: "" });
    // Its connection dies with the server, which the tests kill.
    database.connection.on("error", () => {});
    const scene = new Scene(mysql, redis, { opened, database, spool: folder.file("spool.db") });
    await scene.server.port();
    return scene;
  }

  startServer(): Program {
    const flags = ["--port", `${this.port}`, "--spool", this.spool];
    this.server = this.#opened.use(startEntry(["server.ts", ...flags], { env: this.#env }));
    return this.server;
  }

  /** Sends every page until it is acknowledged, over several connections, again whenever one breaks. */
  async sendAll(): Promise<void> {
    let next = 0;
    const send = async () => {
      let unacknowledged: string[] = [];
      while (unacknowledged.length > 0 || next < MESSAGES) {
        while (unacknowledged.length < WINDOW && next < MESSAGES)
          unacknowledged.push(renderBlockPage(BigInt(next++)));
        const connection = await until(() => connectNetstring({ port: this.port }), {
          what: "the server",
          ...PATIENCE,
        });
        await using _connection = connection;
        while (unacknowledged.length > 0 && connection.state === "open") {
          const replied = connection.replies.length;
          connection.send(...unacknowledged);
          this.sent += unacknowledged.length;
          const replies = await connection.receive(replied + unacknowledged.length);
          const acknowledged = new Set(replies.slice(replied));
          const left = unacknowledged.filter((page) => !acknowledged.has(okFor(page)));
          this.acknowledged += unacknowledged.length - left.length;
          unacknowledged = left;
          while (unacknowledged.length < WINDOW && next < MESSAGES)
            unacknowledged.push(renderBlockPage(BigInt(next++)));
        }
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, send));
  }

  /** Resolves once so many messages are acknowledged. */
  async acknowledges(count: number): Promise<void> {
    await until(() => this.acknowledged >= count, { what: `${count} acknowledgements`, ...PATIENCE });
  }

  /** Resolves once Redis holds so many hashes. */
  async redisHolds(count: number): Promise<void> {
    const redis = new Redis(this.redis.port);
    await until(async () => (await redis.zcard("eth:hashes")) >= count, {
      what: `${count} hashes in Redis`,
      ...PATIENCE,
    });
    redis.disconnect();
  }

  /** Resolves to what the databases hold once all that was acknowledged has got there. */
  async settle() {
    const { host, port } = this.mysql;
    const root = await createConnection({
      host,
      port,
      user: "root",
      database: this.#database.options.database,
    });
    const redis = new Redis(this.redis.port);
    try {
      const read = async () => {
        const [rows] = await root.query("SELECT hash FROM ethereum_data");
        const counted = Number(await redis.hget("eth:ip_addresses", "127.0.0.1"));
        const members = await redis.zcard("eth:hashes");
        return { rows: (rows as { hash: string }[]).map(({ hash }) => hash), members, counted };
      };
      await until(
        async () => {
          const { rows, members, counted } = await read();
          return rows.length >= MESSAGES && members >= MESSAGES && counted >= this.acknowledged;
        },
        { what: "all messages in MySQL and Redis", ...PATIENCE },
      );
      // A clean stop writes whatever is still under way.
      this.server.kill("SIGTERM");
      expect((await this.server.ended).status).toBe(0);
      return await read();
    } finally {
      await root.end();
      redis.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

async function play(
  name: string,
  act: (scene: Scene) => Promise<void>,
): Promise<Scene & { counted: number }> {
  await using scene = await Scene.open();
  const [stored] = await Promise.all([scene.sendAll().then(() => scene), act(scene)]);
  const { rows, members, counted } = await scene.settle();
  const expected = Array.from({ length: MESSAGES }, (_, number) =>
    okFor(renderBlockPage(BigInt(number))).slice(3),
  );
  const present = new Set(rows);
  const lost = expected.filter((hash) => !present.has(hash)).length;
  console.log(
    `${name}: sent ${scene.sent}, acknowledged ${scene.acknowledged}, stored ${rows.length}, lost ${lost}, ` +
      `counted ${counted}, counted twice ${Math.max(0, counted - scene.sent)}`,
  );
  expect({ rows: rows.length, lost, members }).toEqual({ rows: MESSAGES, lost: 0, members: MESSAGES });
  return Object.assign(stored, { counted });
}

describe("a server under load", () => {
  const CASES: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
    [
      "MySQL killed and restarted",
      async (scene) => {
        await scene.acknowledges(1000);
        await scene.mysql.end();
        await scene.acknowledges(3000);
        await scene.redisHolds(3000);
        await scene.mysql.start();
      },
    ],
    [
      "MySQL frozen for 20 s and continued",
      async (scene) => {
        await scene.acknowledges(1000);
        scene.mysql.kill("SIGSTOP");
        await Bun.sleep(FROZEN_MS); // the fault itself, not a wait for something
        scene.mysql.kill("SIGCONT");
      },
    ],
    [
      "Redis killed and restarted",
      async (scene) => {
        await scene.acknowledges(1000);
        await scene.redis.end();
        await scene.acknowledges(3000);
        await scene.redis.start();
      },
    ],
    [
      "MySQL and Redis killed and restarted",
      async (scene) => {
        await scene.acknowledges(1000);
        await Promise.all([scene.mysql.end(), scene.redis.end()]);
        await scene.acknowledges(3000);
        await Promise.all([scene.mysql.start(), scene.redis.start()]);
      },
    ],
  ];

  test.each(CASES)(
    "loses nothing and counts nothing twice: %s",
    async (name, act) => {
      const { sent, acknowledged, counted } = await play(name, act);
      expect({ sent, acknowledged, counted }).toEqual({
        sent: MESSAGES,
        acknowledged: MESSAGES,
        counted: MESSAGES,
      });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "loses nothing that it acknowledged: killed while MySQL is away, then started again",
    async () => {
      const { sent, acknowledged, counted } = await play(
        "server killed while MySQL is away",
        async (scene) => {
          await scene.acknowledges(1000);
          await scene.mysql.end();
          await scene.acknowledges(2500);
          scene.server.kill("SIGKILL");
          await scene.server.ended;
          await scene.mysql.start();
          await scene.startServer().port();
        },
      );
      expect(acknowledged).toBe(MESSAGES);
      // What was under way when it was killed is sent again, and may have been counted before.
      expect(counted).toBeGreaterThanOrEqual(acknowledged);
      expect(counted).toBeLessThanOrEqual(sent);
    },
    TEST_TIMEOUT_MS,
  );
});
