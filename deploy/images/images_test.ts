/** Builds the images from the Dockerfile and runs them: bun run test:images, on Linux as root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clientFlags } from "../../lib/settings/client.ts";
import { serverFlags } from "../../lib/settings/server.ts";
import { statsFlags } from "../../lib/settings/stats.ts";
import { startAnvil } from "../../tests/support/anvil.ts";
import {
  startMysql,
  startRedis,
  takeFreePort,
  type DatabaseServer,
} from "../../tests/support/database_server.ts";
import { connectNetstring, frame, okFor } from "../../tests/support/netstring_client.ts";
import { ROOT } from "../../tests/support/program.ts";
import { openTempFolder, type TempFolder } from "../../tests/support/temp_folder.ts";
import { openMysqlDatabase, openRedisDatabase } from "../../tests/support/test_database.ts";
import { variablesOf } from "../../tests/support/variables.ts";
import { makeBaseImage } from "./base_image.ts";
import { buildah, readImageConfig } from "./buildah.ts";
import { startContainer, type Container } from "./container.ts";

const TARGETS = ["client", "server", "stats"] as const;
const BUILD_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 60_000;
const MAX_ADDED_BYTES = 4 * 1024 * 1024;
const CONNECTIONS = 40;
const MESSAGES = 25;
const SECRETS = "/run/secrets";

const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
const [, version = ""] = /^ARG BUN_VERSION=(.+)$/m.exec(dockerfile) ?? [];
const base = `docker.io/oven/bun:${version}-slim`;

const opened = new AsyncDisposableStack();
let mysql: DatabaseServer;
let redis: DatabaseServer;

function nameOf(target: string): string {
  return `localhost/eth-client-server/${target}:test`;
}

async function addedPaths(target: string): Promise<readonly string[]> {
  const [id, baseId] = [await buildah("from", "--pull=never", nameOf(target)), await buildah("from", base)];
  try {
    const list = async (container: string) => {
      const root = await buildah("mount", container);
      const { stdout } = Bun.spawn(["find", root, "-mindepth", "1", "-printf", "/%P\n"]);
      return (await new Response(stdout).text()).trim().split("\n");
    };
    const known = new Set(await list(baseId));
    return (await list(id)).filter((path) => !known.has(path)).toSorted();
  } finally {
    await buildah("rm", id, baseId);
  }
}

async function addedBytes(target: string): Promise<number> {
  const sizes = await Promise.all(
    [nameOf(target), base].map(async (image) => {
      const id = await buildah("from", "--pull=never", image);
      const root = await buildah("mount", id);
      const { stdout } = Bun.spawn(["du", "--summarize", "--bytes", root]);
      const bytes = parseInt(await new Response(stdout).text());
      await buildah("rm", id);
      return bytes;
    }),
  );
  return (sizes[0] ?? 0) - (sizes[1] ?? 0);
}

/** Writes secrets as files that the containers' user can read. */
async function writeSecrets(values: Readonly<Record<string, string>>): Promise<TempFolder> {
  const folder = await openTempFolder();
  for (const [name, value] of Object.entries(values)) writeFileSync(folder.file(name), `${value}\n`);
  await Bun.$`chmod -R a+rX ${folder.path}`;
  return folder;
}

async function startServer(env: Readonly<Record<string, string>>, secrets?: TempFolder): Promise<Container> {
  return startContainer(nameOf("server"), {
    env: { ETH_SERVER_HOST: "127.0.0.1", ETH_SERVER_PORT: "0", ETH_METRICS_PORT: "0", ...env },
    ...(secrets ? { mounts: { [SECRETS]: secrets.path } } : {}),
  });
}

async function portOf(container: Container): Promise<number> {
  const [, port] = await container.match(/Listening\D* \S*?:(\d+)\b/);
  return Number(port);
}

beforeAll(async () => {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new Error("Cannot build images here: it needs Linux, root, buildah and debootstrap");
  await makeBaseImage(base);
  for (const target of TARGETS) {
    const flags = ["--pull=never", "--format=docker", "--layers", `--target=${target}`];
    await buildah("bud", ...flags, "--build-arg=VERSION=1.2.3", `--tag=${nameOf(target)}`, ROOT);
  }
  [mysql, redis] = [opened.use(await startMysql()), opened.use(await startRedis())];
}, BUILD_TIMEOUT_MS);

afterAll(() => opened.disposeAsync());

describe.each(TARGETS)("the image of %s", (target) => {
  test("adds one file and an empty folder to the base, and few bytes", async () => {
    const bytes = await addedBytes(target);
    console.log(`The image of ${target} adds ${(bytes / 1024 / 1024).toFixed(2)} MiB to its base`);
    expect(await addedPaths(target)).toEqual(["/app", `/app/${target}.js`, "/data"]);
    expect(bytes).toBeLessThan(MAX_ADDED_BYTES);
  });

  test("runs the program itself, as a user without rights, and says how it is", async () => {
    const {
      Entrypoint,
      User,
      Volumes,
      Labels,
      Healthcheck,
      Env = [],
    } = await readImageConfig(nameOf(target));
    expect({ Entrypoint, User, Volumes }).toEqual({
      Entrypoint: ["bun", `/app/${target}.js`],
      User: "1000:1000",
      Volumes: { "/data": {} },
    });
    expect(Labels).toMatchObject({
      "org.opencontainers.image.title": "eth-client-server",
      "org.opencontainers.image.licenses": "MIT",
      "org.opencontainers.image.version": "1.2.3",
    });
    expect(Healthcheck?.Test?.slice(0, 3)).toEqual(["CMD", "bun", "-e"]);
    expect(Env.filter((line) => /PASS|AUTH|TOKEN|SECRET/.test(line))).toEqual([]);
    const set = Env.map((line) => line.split("=")[0] ?? "").filter((name) => name.startsWith("ETH_"));
    const known = variablesOf(
      target,
      { client: clientFlags, server: serverFlags, stats: statsFlags }[target],
    );
    expect(set.filter((name) => !known.has(name))).toEqual([]);
  });
});

test("the Dockerfile names the Bun that is tested with", () => {
  expect(version).toBe(Bun.version);
});

describe("the container of server", () => {
  test(
    "stores in MySQL and Redis, and on SIGTERM as process 1 all that was sent to it",
    async () => {
      await using database = await openMysqlDatabase({ ...mysql, user: "root", password: "" });
      await using statistics = await openRedisDatabase({ ...redis, user: "", password: "" });
      await using secrets = await writeSecrets({ mysql: database.options.password });
      await using container = await startServer(
        {
          ETH_USE_MYSQL: "true",
          MYSQL_HOST: mysql.host,
          MYSQL_PORT: `${mysql.port}`,
          MYSQL_USER: database.options.user,
          MYSQL_DB: database.options.database,
          MYSQL_PASS_FILE: `${SECRETS}/mysql`,
          ETH_USE_REDIS: "true",
          REDIS_HOST: redis.host,
          REDIS_PORT: `${redis.port}`,
        },
        secrets,
      );
      const port = await portOf(container);
      const status = await container.status();
      expect({
        numbers: status.get("NSpid")?.split("\t")[1],
        user: status.get("Uid")?.split("\t")[0],
        group: status.get("Gid")?.split("\t")[0],
        rights: status.get("CapEff"),
      }).toEqual({ numbers: "1", user: "1000", group: "1000", rights: "0000000000000000" });
      expect(await container.run(["touch", "/app/x"])).not.toBe(0);
      expect(await container.run(["touch", "/tmp/x"])).not.toBe(0);
      expect(await container.run(["touch", "/data/x"])).toBe(0);

      const payloads = Array.from({ length: CONNECTIONS }, (_, connection) =>
        Array.from({ length: MESSAGES }, (_, message) => `message ${message} of connection ${connection}`),
      );
      await using clients = new AsyncDisposableStack();
      for (const mine of payloads) {
        const client = clients.use(await connectNetstring({ port }));
        client.write(Buffer.concat(mine.map((payload) => frame(payload))));
      }
      await container.kill("SIGTERM");
      const { status: exitStatus, stderr } = await container.ended;

      expect({ exitStatus, stderr: stderr.includes("Stopped") }).toEqual({ exitStatus: 0, stderr: true });
      const rows = await database.rows<{ payload: string }>("SELECT payload FROM ethereum_data");
      expect(rows.map(({ payload }) => payload).toSorted()).toEqual(payloads.flat().toSorted());
      expect(await statistics.redis.zcard("eth:hashes")).toBe(CONNECTIONS * MESSAGES);
    },
    RUN_TIMEOUT_MS,
  );

  test(
    "without a database stores in its volume, and its health check tells whether it runs",
    async () => {
      await using container = await startServer({ ETH_METRICS_PORT: `${takeFreePort()}` });
      await using client = await connectNetstring({ port: await portOf(container) });
      client.send("kept");
      expect(await client.receive(1)).toEqual([okFor("kept")]);
      expect(await container.run(["test", "-s", "/data/eth.db"])).toBe(0);
      expect(await container.isHealthy()).toBe(true);
      await container.kill("SIGTERM");
      expect((await container.ended).status).toBe(0);
    },
    RUN_TIMEOUT_MS,
  );

  test(
    "is not healthy when nothing answers",
    async () => {
      await using container = await startServer({});
      await portOf(container);
      expect(await container.isHealthy()).toBe(false);
    },
    RUN_TIMEOUT_MS,
  );
});

describe("the container of client", () => {
  test(
    "delivers a block and ends in order",
    async () => {
      await using anvil = await startAnvil();
      await using server = await startServer({});
      const port = await portOf(server);
      await using client = await startContainer(nameOf("client"), {
        env: {
          ETH_METRICS_PORT: `${takeFreePort()}`,
          ETH_CLIENT_RPC_URL: anvil.url,
          ETH_CLIENT_HOST: "127.0.0.1",
          ETH_CLIENT_PORT: `${port}`,
          ETH_CLIENT_INTERVAL: "0.1",
        },
      });
      await client.match(/Block 0 is delivered and acknowledged/);
      await server.match(/DATA - 127\.0\.0\.1:\d+ - <!doctype html>/);
      expect(await client.isHealthy()).toBe(true);
      await client.kill("SIGTERM");
      expect((await client.ended).status).toBe(0);
    },
    RUN_TIMEOUT_MS,
  );
});

describe("the container of stats", () => {
  test(
    "shows what MySQL and Redis hold, and ends in order",
    async () => {
      await using database = await openMysqlDatabase({ ...mysql, user: "root", password: "" });
      await using statistics = await openRedisDatabase({ ...redis, user: "", password: "" });
      await statistics.redis.zadd("eth:hashes", 1795329800.1, "a".repeat(64));
      await using secrets = await writeSecrets({ mysql: database.options.password });
      await using stats = await startContainer(nameOf("stats"), {
        env: {
          ETH_STATS_HOST: "127.0.0.1",
          ETH_STATS_PORT: `${takeFreePort()}`,
          MYSQL_HOST: mysql.host,
          MYSQL_PORT: `${mysql.port}`,
          MYSQL_USER: database.options.user,
          MYSQL_DB: database.options.database,
          MYSQL_PASS_FILE: `${SECRETS}/mysql`,
          REDIS_HOST: redis.host,
          REDIS_PORT: `${redis.port}`,
        },
        mounts: { [SECRETS]: secrets.path },
      });
      const port = await portOf(stats);
      const response = await fetch(`http://127.0.0.1:${port}/_cat/hashes`);
      expect(await response.text()).toEndWith(`${"a".repeat(64)}  1795329800.1000`);
      expect(await stats.isHealthy()).toBe(true);
      await stats.kill("SIGTERM");
      expect((await stats.ended).status).toBe(0);
    },
    RUN_TIMEOUT_MS,
  );
});
