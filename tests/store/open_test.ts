import { describe, expect } from "bun:test";
import { join } from "node:path";
import { openSpool } from "../../lib/store/spool.ts";
import { testWith } from "../services.ts";
import { makeCertificates } from "../support/certificates.ts";
import { startMysql, startRedis, takeFreePort } from "../support/database_server.ts";
import { connectNetstring, okFor } from "../support/netstring_client.ts";
import { ROOT, startEntry, startProgram } from "../support/program.ts";
import { storeEnvironment } from "../support/store_flags.ts";
import { openTempFolder } from "../support/temp_folder.ts";
import { openMysqlDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

const test = testWith(["mysql", "redis"], { own: true });
const TEST_TIMEOUT_MS = 60_000;
const ROOT_USER = { user: "root", password: "" };

async function acknowledges(port: number, message: string): Promise<boolean> {
  await using client = await connectNetstring({ port });
  client.send(message);
  return (await client.receive(1))[0] === okFor(message);
}

describe("openStore()", () => {
  test(
    "waits for databases that start after the server, and says so",
    async () => {
      await using folder = await openTempFolder();
      await using mysql = await startMysql();
      await using redis = await startRedis();
      const { options } = await openMysqlDatabase({ ...mysql, ...ROOT_USER });
      await Promise.all([mysql.end(), redis.end()]);

      const env = storeEnvironment({ mysql: options, redis });
      await using server = startEntry(["server.ts", "--port", "0"], { env, cwd: folder.path });
      await server.match(/Waiting for MySQL .*nothing listens there/);
      await mysql.start();
      await server.match(/Waiting for Redis .*nothing listens there/);
      await redis.start();
      expect(await acknowledges(await server.port(), "page")).toBe(true);
      server.kill("SIGTERM");
      expect(await server.ended).toMatchObject({ status: 0 });
    },
    TEST_TIMEOUT_MS,
  );

  test("gives up after --store-timeout with a sentence, and stops at once when told to", async () => {
    await using folder = await openTempFolder();
    const port = takeFreePort();
    const mysql = { host: "127.0.0.1", port, user: "eth", password: "hidden", database: "eth" };
    const env = storeEnvironment({ mysql, redis: { host: "127.0.0.1", port } });
    await using hasty = startEntry(["server.ts", "--port", "0", "--store-timeout", "0.3"], {
      env,
      cwd: folder.path,
    });
    const { status, stderr } = await hasty.ended;
    expect({ status, last: stderr.trim().split("\n").at(-1) }).toEqual({
      status: 1,
      last: `MySQL at 127.0.0.1:${port} cannot be used: nothing listens there (waited 0 s)`,
    });
    expect(stderr).not.toContain("hidden");

    await using patient = startEntry(["server.ts", "--port", "0"], { env, cwd: folder.path });
    await patient.match(/Waiting for MySQL/);
    patient.kill("SIGTERM");
    expect((await patient.ended).status).toBe(0);
  });

  test("stops in silence when told to while a database does not answer", async () => {
    await using folder = await openTempFolder();
    const accepted = Promise.withResolvers<void>();
    const silent = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: () => accepted.resolve(), data() {} },
    });
    const env = { ETH_USE_REDIS: "true", REDIS_HOST: "127.0.0.1", REDIS_PORT: `${silent.port}` };
    await using server = startEntry(["server.ts", "--port", "0"], { env, cwd: folder.path });
    await accepted.promise;
    server.kill("SIGTERM");
    expect(await server.ended).toMatchObject({ status: 0, stderr: "" });
    silent.stop(true);
  });

  test(
    "keeps a password that comes from the environment or a file out of the logs and of the list of processes",
    async () => {
      await using folder = await openTempFolder();
      await using mysql = await startMysql();
      await using redis = await startRedis({ flags: ["--requirepass", "redis-secret"] });
      const { options, connection } = await openMysqlDatabase({ ...mysql, ...ROOT_USER });
      await connection.query(`SET PASSWORD FOR ${options.user}@'%' = PASSWORD('mysql-secret')`);
      await Bun.write(folder.file("mysql"), "mysql-secret\n");
      await Bun.write(folder.file("redis"), "redis-secret\n");
      const env = {
        ...storeEnvironment({ mysql: options, redis }),
        MYSQL_PASS: undefined,
        MYSQL_PASS_FILE: folder.file("mysql"),
        ETH_SERVER_REDIS_PASS_FILE: folder.file("redis"),
      };
      await using server = startEntry(["server.ts", "--port", "0", "--verbose"], { env, cwd: folder.path });
      expect(await acknowledges(await server.port(), "page")).toBe(true);
      const commandLine = await Bun.file(`/proc/${server.pid}/cmdline`).text();
      await redis.end();
      expect(await acknowledges(await server.port(), "while Redis is away")).toBe(true);
      await server.match(/messages wait in the spool/);
      server.kill("SIGTERM");
      const { stdout, stderr } = await server.ended;
      for (const text of [commandLine, stdout, stderr]) expect(text).not.toContain("-secret");

      const both = { ...env, MYSQL_PASS: "mysql-secret" };
      await using confused = startEntry(["server.ts", "--port", "0"], { env: both, cwd: folder.path });
      expect(await confused.ended).toMatchObject({
        status: 2,
        stderr:
          "Cannot use both MYSQL_PASS and MYSQL_PASS_FILE: expected one of them\nSee bun server.ts --help\n",
      });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "talks TLS to MySQL and Redis, and to none that it cannot trust",
    async () => {
      await using folder = await openTempFolder();
      const { ca, cert, key } = makeCertificates(folder);
      await Bun.spawn(["chmod", "644", key]).exited; // for the user that MySQL runs as
      await using mysql = await startMysql({
        flags: [`--ssl-cert=${cert}`, `--ssl-key=${key}`, `--ssl-ca=${ca}`],
      });
      const tlsPort = takeFreePort();
      await using redis = await startRedis({
        flags: ["--tls-port", `${tlsPort}`, "--tls-cert-file", cert, "--tls-key-file", key].concat(
          ["--tls-ca-cert-file", ca],
          ["--tls-auth-clients", "no"],
        ),
      });
      const { options, connection } = await openMysqlDatabase({ ...mysql, ...ROOT_USER });
      await connection.query(`ALTER USER ${options.user}@'%' REQUIRE SSL`);
      const env = {
        ...storeEnvironment({ mysql: options, redis: { ...redis, port: tlsPort } }),
        NODE_EXTRA_CA_CERTS: ca,
      };
      const flags = ["server.ts", "--port", "0", "--store-timeout", "0.5"];
      const start = (...more: readonly string[]) =>
        startEntry([...flags, ...more], { env, cwd: folder.path });

      await using server = start("--mysql-tls", "--mysql-ca", ca, "--redis-tls");
      expect(await acknowledges(await server.port(), "page")).toBe(true);
      server.kill("SIGTERM");
      await server.ended;
      await using plain = start("--redis-tls");
      expect((await plain.ended).stderr).toMatch(/MySQL at \S+ cannot be used: .*Access denied/);

      const stranger = makeCertificates(folder, "stranger").ca;
      await using distrustful = start("--mysql-tls", "--mysql-ca", stranger, "--redis-tls");
      expect(await distrustful.ended).toMatchObject({ status: 1 });
      expect(distrustful.stderr).toMatch(/MySQL at \S+ cannot be used: .*certificate/i);
    },
    TEST_TIMEOUT_MS,
  );
});

describe("openSpool()", () => {
  test(
    "refuses the spool of a server that runs, and takes it once that has been killed",
    async () => {
      await using folder = await openTempFolder();
      const spool = openSpool({ file: folder.file("spool.db"), maxMessages: 10 });
      const script = `import { openSpool } from "${join(ROOT, "lib/store/spool.ts")}";
      openSpool({ file: "${folder.file("spool.db")}", maxMessages: 10 }); console.log("opened"); setInterval(() => {}, 1000);`;
      await using second = startProgram([process.execPath, "-e", script]);
      expect((await second.ended).stderr).toContain("spool.db: another program uses it");
      spool[Symbol.dispose]();

      await using third = startProgram([process.execPath, "-e", script]);
      await third.match(/opened/);
      third.kill("SIGKILL");
      await third.ended;
      using _taken = openSpool({ file: folder.file("spool.db"), maxMessages: 10 });
    },
    TEST_TIMEOUT_MS,
  );
});

describe("openReaders()", () => {
  test(
    "reads from MySQL and Redis when their settings are given; while one is away, what needs it answers 503",
    async () => {
      await using folder = await openTempFolder();
      await using mysql = await startMysql();
      await using redis = await startRedis();
      const { options } = await openMysqlDatabase({ ...mysql, ...ROOT_USER });
      const {
        ETH_USE_MYSQL: _mysql,
        ETH_USE_REDIS: _redis,
        ...shared
      } = storeEnvironment({ mysql: options, redis });
      const env = { ...shared, ETH_SERVER_USE_MYSQL: "true", ETH_SERVER_USE_REDIS: "true" };
      await using server = startEntry(["server.ts", "--port", "0"], { env, cwd: folder.path });
      await using stats = startEntry(["stats.ts", "--port", "0"], { env, cwd: folder.path });
      expect(await acknowledges(await server.port(), "page")).toBe(true);

      const base = `http://127.0.0.1:${await stats.port()}`;
      const hash = okFor("page").slice("ok ".length);
      const get = async (path: string) => {
        const response = await fetch(`${base}${path}`);
        return { status: response.status, body: await response.text() };
      };
      const answers = async (path: string, status: number) =>
        until(async () => (await get(path)).status === status, { what: `${status} from ${path}` });
      expect(await get(`/_cat/hashes/${hash}`)).toEqual({ status: 200, body: "page" });
      expect((await get("/_cat/hashes")).body).toContain(hash);
      expect((await get("/_cat/clients")).body).toMatch(/^127\.0\.0\.1 +1$/m);

      await redis.end();
      await answers("/_cat/hashes", 503);
      expect(await get(`/_cat/hashes/${hash}`)).toEqual({ status: 200, body: "page" });
      await redis.start();
      await answers("/_cat/hashes", 200);

      await mysql.end();
      await answers(`/_cat/hashes/${hash}`, 503);
      await answers("/_cat/hashes", 200);
      await mysql.start();
      await answers(`/_cat/hashes/${hash}`, 200);
      expect(await get(`/_cat/hashes/${hash}`)).toEqual({ status: 200, body: "page" });
    },
    TEST_TIMEOUT_MS,
  );
});
