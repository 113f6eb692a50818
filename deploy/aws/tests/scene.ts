import { join } from "node:path";
import { renderBlockPage } from "../../../lib/block_page.ts";
import type { DatabaseSettings } from "../../../lib/settings/databases.ts";
import { createMysqlStore, createRedisStore } from "../../../lib/store/databases.ts";
import type { MysqlStore } from "../../../lib/store/mysql.ts";
import type { RedisStore } from "../../../lib/store/redis.ts";
import { startMysql, startRedis, type DatabaseServer } from "../../../tests/support/database_server.ts";
import { openTempFolder } from "../../../tests/support/temp_folder.ts";
import { openMysqlDatabase, type MysqlDatabase } from "../../../tests/support/test_database.ts";
import { buildLambda } from "../lib/build.ts";
import { LambdaProcess } from "./lambda_process.ts";

/** Who may look. */
export const AUTH = { username: "stats", password: "a password: with a colon" };
/** The header of who may look. */
export const authorization = `Basic ${btoa(`${AUTH.username}:${AUTH.password}`)}`;

const BLOCKS = 5;
const BLOCK_SECONDS = 12;

/** The bundle of the function, and MySQL, Redis and a keeper of secrets beside it. */
export interface Scene extends AsyncDisposable {
  /** File of the bundle. */
  readonly bundle: string;
  readonly database: MysqlDatabase;
  readonly redis: DatabaseServer;
  /** Variables that say where the databases are. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Whether the keeper of secrets has started; Lambda starts it beside the function. */
  isExtensionReady: boolean;
  /** Starts the function in a process of Node.js. */
  startFunction(): LambdaProcess;
  /** Stores the page of a block, as a server does. */
  addBlock(block: bigint, options?: { readonly receivedAtSeconds?: number }): Promise<void>;
}

/** Builds the bundle and starts all that it needs, with some blocks and a server in the stores. */
export async function openScene(): Promise<Scene> {
  await using opening = new AsyncDisposableStack();
  const folder = opening.use(await openTempFolder());
  const [mysql, redis] = [opening.use(await startMysql()), opening.use(await startRedis())];
  const database = opening.use(await openMysqlDatabase({ ...mysql, user: "root", password: "" }));
  const { user, password, database: name } = database.options;
  const where: Partial<DatabaseSettings> = {
    mysqlHost: mysql.host,
    mysqlPort: mysql.port,
    mysqlUser: user,
    mysqlPass: password,
    mysqlDb: name,
    redisHost: redis.host,
    redisPort: redis.port,
  };
  const settings = where as DatabaseSettings; // what it lacks is optional or off
  const stores = {
    pages: opening.use(createMysqlStore(settings)),
    stats: opening.use(createRedisStore(settings)),
  };
  await buildLambda(folder.path);
  const extension = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => answerSecret(request, { password, isReady: scene.isExtensionReady }),
  });
  opening.defer(() => extension.stop(true));
  const bundle = join(folder.path, "stats.mjs");
  const addresses = {
    MYSQL_HOST: mysql.host,
    MYSQL_PORT: `${mysql.port}`,
    MYSQL_USER: user,
    MYSQL_DB: name,
    REDIS_HOST: redis.host,
    REDIS_PORT: `${redis.port}`,
  };
  const environment = {
    ...addresses,
    MYSQL_PASS_SECRET: "arn:mysql",
    STATS_AUTH_SECRET: "arn:auth",
    SYSTEM: "Eth",
    AWS_SESSION_TOKEN: "session",
    PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: `${extension.port}`,
  };
  await fill(stores);
  const opened = opening.move();
  const scene: Scene = {
    bundle,
    database,
    redis,
    addresses,
    isExtensionReady: true,
    startFunction: () => new LambdaProcess(bundle, environment),
    addBlock: (block, options) => addBlock(stores, { block, ...options }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
  return scene;
}

interface StoresToFill {
  readonly pages: MysqlStore;
  readonly stats: RedisStore;
}

async function fill(stores: StoresToFill): Promise<void> {
  await stores.pages.prepare();
  const nowSeconds = Date.now() / 1000;
  for (let block = 0; block < BLOCKS; block++) {
    const receivedAtSeconds = nowSeconds - BLOCK_SECONDS * (BLOCKS - block);
    await addBlock(stores, { block: BigInt(block), receivedAtSeconds });
  }
  const server = { host: "one", port: 8888, pid: 1, version: "1.2.3", startedAtSeconds: nowSeconds - 100 };
  await stores.stats.beat({ ...server, connections: 2, received: 9, stored: 5, spooled: 7 });
}

async function addBlock(
  { pages, stats }: StoresToFill,
  {
    block,
    receivedAtSeconds = Date.now() / 1000,
  }: { readonly block: bigint; readonly receivedAtSeconds?: number },
): Promise<void> {
  const payload = renderBlockPage(block);
  const receipt = {
    payload,
    hash: Bun.SHA256.hash(payload, "hex"),
    ip: `192.0.2.${block}`,
    receivedAtSeconds,
  };
  for (const store of [pages, stats]) await store.write({ id: `${block}`, receipts: [receipt] });
}

/** Answers as the process beside a function that AWS calls "Parameters and Secrets Lambda Extension". */
function answerSecret(
  { url, headers }: Request,
  { password, isReady }: { readonly password: string; readonly isReady: boolean },
): Response {
  const secrets: Readonly<Record<string, string>> = {
    "arn:mysql": password,
    "arn:auth": JSON.stringify(AUTH),
  };
  if (!isReady) return new Response("not ready to serve traffic, please wait", { status: 400 });
  const secret = secrets[new URL(url).searchParams.get("secretId") ?? ""];
  return headers.get("x-aws-parameters-secrets-token") === "session" && secret
    ? Response.json({ SecretString: secret })
    : new Response("forbidden", { status: 403 });
}
