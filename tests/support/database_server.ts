import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createConnection } from "mysql2/promise";

/** A database server of the tests' own, on a port and with data that outlive a restart. */
export interface DatabaseServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Sends a signal to the process. */
  kill(signal: NodeJS.Signals): void;
  /** Kills the process, unless it is dead, and waits for its end. */
  end(): Promise<void>;
  /** Starts it, again if need be, and waits until it answers. */
  start(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
// Debian keeps servers out of the path of ordinary users.
const PATH = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;

/** The programs that tests need and that are installed here. */
export const BINARIES = {
  chromium:
    Bun.which("chromium", { PATH }) ??
    Bun.which("chromium-browser", { PATH }) ??
    Bun.which("google-chrome", { PATH }),
  mysql: Bun.which("mariadbd", { PATH }) ?? Bun.which("mysqld", { PATH }),
  redis: Bun.which("redis-server", { PATH }),
  haproxy: Bun.which("haproxy", { PATH }),
};

/** What a database server is started with. */
export interface DatabaseServerOptions {
  /** More flags for its command line. @default {[]} */
  readonly flags?: readonly string[];
}

/** Starts a MariaDB or MySQL with an empty data folder, at its durable default. */
export async function startMysql({ flags = [] }: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const binary = BINARIES.mysql ?? "mysqld";
  const folder = mkdtempSync(join(tmpdir(), "eth-mysql-"));
  const asRoot = process.getuid?.() === 0 ? ["--user=root"] : [];
  // Apart from others': at its start a server deletes the temporary tables that it finds there.
  const temporary = join(folder, "tmp");
  mkdirSync(temporary);
  const places = [`--datadir=${join(folder, "data")}`, `--tmpdir=${temporary}`];
  const install = Bun.which("mariadb-install-db", { PATH });
  await run(
    install
      ? [install, ...asRoot, ...places, "--auth-root-authentication-method=normal", "--skip-test-db"]
      : [binary, ...asRoot, ...places, "--initialize-insecure"],
  );
  return createServer(folder, {
    command: (port) => [
      binary,
      "--no-defaults",
      ...asRoot,
      ...places,
      `--port=${port}`,
      "--bind-address=127.0.0.1",
      `--socket=${folder}/s`,
      "--skip-log-bin",
      ...flags,
    ],
    ping: async (port) => {
      const connection = await createConnection({
        host: "127.0.0.1",
        port,
        user: "root",
        connectTimeout: 1000,
      });
      await connection.end();
    },
  });
}

/** Starts a Redis that keeps nothing when it ends; with the flag `--appendonly yes` it keeps all it takes. */
export function startRedis({ flags: more = [] }: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const folder = mkdtempSync(join(tmpdir(), "eth-redis-"));
  return createServer(folder, {
    command: (port) => {
      const options = {
        port,
        bind: "127.0.0.1",
        dir: folder,
        save: "",
        appendfsync: "always",
      };
      const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
      return [BINARIES.redis ?? "redis-server", ...flags, ...more];
    },
    ping: async (port) => {
      const redis = new Redis({ port, lazyConnect: true, retryStrategy: () => null, commandTimeout: 1000 });
      redis.on("error", () => {}); // which ping() rejects with too
      try {
        await redis.ping();
      } catch (error) {
        // One that asks for a password answers too.
        if (!String(error).includes("NOAUTH")) throw error;
      } finally {
        redis.disconnect();
      }
    },
  });
}

interface Program {
  readonly command: (port: number) => string[];
  /** Rejects until the server answers. */
  readonly ping: (port: number) => Promise<void>;
}

async function createServer(folder: string, { command, ping }: Program): Promise<DatabaseServer> {
  const port = takeFreePort();
  let child: Bun.Subprocess | undefined;
  const server: DatabaseServer = {
    host: "127.0.0.1",
    port,
    kill: (signal) => child?.kill(signal),
    async end() {
      child?.kill("SIGKILL");
      await child?.exited;
    },
    async start() {
      child = Bun.spawn(command(port), { stdio: ["ignore", "ignore", "ignore"] });
      const deadline = performance.now() + START_TIMEOUT_MS;
      for (;;) {
        try {
          return await ping(port);
        } catch (error) {
          if (performance.now() > deadline || child.exitCode !== null) throw error;
          await Bun.sleep(50);
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await server.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** Finds a port that nothing listens on. */
export function takeFreePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdio: ["ignore", "ignore", "pipe"] });
  if ((await child.exited) !== 0) {
    throw new Error(`Cannot run ${command[0]}: ${await new Response(child.stderr).text()}`);
  }
}
