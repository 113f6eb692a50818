/**
 * How many messages a second a server stores, beside what the database itself takes in the same run.
 *
 * Usage: bun bench/ingest.ts [--messages 100000] [--connections 64]
 *
 * All of it shares this machine: the load, the server, MariaDB at its durable default, and Redis.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createConnection } from "mysql2/promise";
import { renderBlockPage } from "../lib/ethereum/page.ts";
import { startMysql, startRedis } from "../tests/support/database_server.ts";
import { openTempFolder } from "../tests/support/temp_folder.ts";
import type { Load, LoadResult } from "./ingest_load.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "100000" },
    connections: { type: "string", default: "64" },
  },
});
const messages = Number(values.messages);
const connections = Number(values.connections);
const WINDOW = 64;
const LONE_MESSAGES = 500;
const ONE_ROW_SECONDS = 3;
const CEILING_ROWS = 500;
const CEILING_STATEMENTS = 100;

await using folder = await openTempFolder();
await using mysql = await startMysql();
await using redis = await startRedis();
const database = await createConnection({
  host: mysql.host,
  port: mysql.port,
  user: "root",
  multipleStatements: true,
});
await database.query(
  "CREATE DATABASE eth; CREATE USER eth IDENTIFIED BY 'eth'; GRANT ALL ON eth.* TO eth; USE eth",
);

const server = Bun.spawn(
  [process.execPath, join(import.meta.dir, "..", "server.ts"), "--host", "0.0.0.0", "--port", "0"],
  {
    cwd: folder.path,
    env: {
      ...process.env,
      ETH_USE_MYSQL: "true",
      MYSQL_HOST: mysql.host,
      MYSQL_PORT: `${mysql.port}`,
      MYSQL_USER: "eth",
      MYSQL_PASS: "eth",
      MYSQL_DB: "eth",
      ETH_USE_REDIS: "true",
      REDIS_HOST: redis.host,
      REDIS_PORT: `${redis.port}`,
    },
    stdio: ["ignore", Bun.file("/dev/null"), "pipe"],
  },
);
const port = await readPort(server.stderr);

console.log(`${messages} pages over ${connections} connections, MySQL and Redis on`);
let from = 0;
report("new connection per message", await load({ window: 0 }));
report(`persistent, window ${WINDOW}`, await load({ window: WINDOW }));
const lone = await load({ window: 1, messages: LONE_MESSAGES, connections: 1 });
console.log(
  `a lone message                 p50 ${ms(lone.latenciesMs.p50)}  p99 ${ms(lone.latenciesMs.p99)}`,
);
console.log(`server's resident memory       ${residentMegabytes(server.pid)} MB`);
const [rows] = await database.query("SELECT COUNT(*) AS stored FROM ethereum_data");
console.log(`rows stored                    ${(rows as [{ stored: number }])[0].stored} of ${from}`);

server.kill("SIGTERM");
await server.exited;
console.log(`one row a commit, 1 connection ${rate(await insertOneByOne())} (what an older server does)`);
console.log(
  `${CEILING_ROWS} rows an INSERT, alone       ${rate(await insertInBulk())} (the database's own ceiling)`,
);
await database.end();

async function load(options: Partial<Load>): Promise<LoadResult & { cpuMicroseconds: number }> {
  const job: Load = { port, messages, connections, window: 0, from, ...options };
  from += job.messages;
  const before = cpuSeconds(server.pid);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "ingest_load.ts"), JSON.stringify(job)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const result = JSON.parse(await new Response(child.stdout).text()) as LoadResult;
  return { ...result, cpuMicroseconds: ((cpuSeconds(server.pid) - before) / job.messages) * 1e6 };
}

function report(what: string, result: LoadResult & { cpuMicroseconds: number }): void {
  const { acknowledged, failed, seconds, latenciesMs, cpuMicroseconds } = result;
  console.log(
    `${what.padEnd(30)} ${rate(acknowledged / seconds)}  p50 ${ms(latenciesMs.p50)}  p99 ${ms(latenciesMs.p99)}  ` +
      `CPU ${cpuMicroseconds.toFixed(0)} µs a message  failed ${failed}`,
  );
}

async function insertOneByOne(): Promise<number> {
  await database.query("CREATE TABLE one_by_one LIKE ethereum_data");
  const startedAt = performance.now();
  let inserted = 0;
  for (; performance.now() - startedAt < ONE_ROW_SECONDS * 1000; inserted++) {
    const page = renderBlockPage(BigInt(inserted));
    await database.query("INSERT INTO one_by_one (hash, payload) VALUES (?, ?)", [
      Bun.SHA256.hash(page, "hex"),
      page,
    ]);
  }
  return inserted / ((performance.now() - startedAt) / 1000);
}

async function insertInBulk(): Promise<number> {
  await database.query("CREATE TABLE in_bulk LIKE ethereum_data");
  const batches = Array.from({ length: CEILING_STATEMENTS }, (_, batch) =>
    Array.from({ length: CEILING_ROWS }, (_, row) => {
      const page = renderBlockPage(BigInt(batch * CEILING_ROWS + row));
      return [Bun.SHA256.hash(page, "hex"), page];
    }),
  );
  const startedAt = performance.now();
  for (const batch of batches) await database.query("INSERT INTO in_bulk (hash, payload) VALUES ?", [batch]);
  return (CEILING_ROWS * CEILING_STATEMENTS) / ((performance.now() - startedAt) / 1000);
}

async function readPort(stderr: ReadableStream<Uint8Array>): Promise<number> {
  let text = "";
  for await (const piece of stderr) {
    text += Buffer.from(piece).toString();
    const [, found] = /Listening on \S+:(\d+)/.exec(text) ?? [];
    if (found) return Number(found);
  }
  throw new Error(`The server did not start: ${text}`);
}

/** User and system time of a process, in the clock ticks of 10 ms that Linux counts in. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMegabytes(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

function rate(perSecond: number): string {
  return `${Math.round(perSecond).toLocaleString("en")}/s`.padStart(9);
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
