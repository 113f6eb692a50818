/** The databases that tests run against: private and thrown away, or given by `TEST_MYSQL_URL` and `TEST_REDIS_URL`. */
import { afterAll, test } from "bun:test";
import { BINARIES, startMysql, startRedis, type DatabaseServer } from "./support/database_server.ts";

/** Where a database is, and who may use it. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

type Kind = keyof typeof BINARIES;

const GIVEN: Readonly<Partial<Record<Kind, string | undefined>>> = {
  mysql: process.env["TEST_MYSQL_URL"],
  redis: process.env["TEST_REDIS_URL"],
};

const started: DatabaseServer[] = [];
const shared = new Map<Kind, Promise<Address>>();
let notRun = 0;

afterAll(async () => {
  await Promise.all(started.splice(0).map((server) => server[Symbol.asyncDispose]()));
  if (notRun === 0) return;
  const missing = (["mysql", "redis", "haproxy", "chromium"] as const).filter((kind) => !BINARIES[kind]);
  console.error(
    `\n*** ${notRun} tests did NOT run, as ${missing.join(" and ")} is not installed: bun run ci installs it ***\n`,
  );
});

/**
 * Gives the function that declares tests which need other servers, and databases of their own or any.
 *
 * Where the servers are not installed the tests do not run, which is said at the end, and fails under `CI=true`.
 */
export function testWith(kinds: readonly Kind[], { own = false } = {}): typeof test {
  const missing = kinds.filter((kind) => !BINARIES[kind] && (own || !GIVEN[kind]));
  if (missing.length === 0) return test;
  if (process.env["CI"] === "true") throw new Error(`Cannot run tests without ${missing.join(" and ")}`);
  return Object.assign(() => void notRun++, test, { each: () => () => void notRun++ }) as typeof test;
}

/** Gives the MySQL server that tests share; each makes a database of its own in it. */
export function sharedMysql(): Promise<Address> {
  return share("mysql", async () => ({ ...keep(await startMysql()), user: "root", password: "" }));
}

/** Gives the Redis server that tests share; each test empties the database numbers it uses. */
export function sharedRedis(): Promise<Address> {
  return share("redis", async () => ({ ...keep(await startRedis()), user: "", password: "" }));
}

function share(kind: Kind, start: () => Promise<Address>): Promise<Address> {
  const given = GIVEN[kind];
  const running = shared.get(kind) ?? (given ? Promise.resolve(parseAddress(given)) : start());
  shared.set(kind, running);
  return running;
}

function parseAddress(text: string): Address {
  const { hostname, port, username, password, protocol } = new URL(text);
  const defaultPort = protocol === "redis:" ? 6379 : 3306;
  return {
    host: hostname,
    port: Number(port || defaultPort),
    user: username,
    password: decodeURIComponent(password),
  };
}

function keep(server: DatabaseServer): DatabaseServer {
  started.push(server);
  return server;
}
