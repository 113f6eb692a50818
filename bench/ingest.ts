/**
 * How many messages a second a server stores in MySQL and Redis, and what bounds it: beside it, in the same run, the
 * same load on a server that stores nothing, and what the database takes without a server.
 *
 * Usage: bun bench/ingest.ts [--messages 100000] [--connections 64]
 *
 * All of it shares this machine: the load, the server, MariaDB at its durable default, and Redis.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createConnection } from "mysql2/promise";
import { renderBlockPage } from "../lib/block_page.ts";
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
const REST_MS = 5000;

interface RunningServer extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly metricsUrl: string;
}

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
const storeEnvironment = {
  ETH_USE_MYSQL: "true",
  MYSQL_HOST: mysql.host,
  MYSQL_PORT: `${mysql.port}`,
  MYSQL_USER: "eth",
  MYSQL_PASS: "eth",
  MYSQL_DB: "eth",
  ETH_USE_REDIS: "true",
  REDIS_HOST: redis.host,
  REDIS_PORT: `${redis.port}`,
};

console.log(`${messages} pages over ${connections} connections`);
let from = 0;
let nothingStored: LoadResult;
{
  await using server = await startServer({ ETH_NO_STORE: "true" });
  nothingStored = report("nothing stored, a connection each", await load(server, { window: 0 }));
}
{
  await using server = await startServer(storeEnvironment);
  const firstPage = from;
  report("stored, a connection each", await load(server, { window: 0 }));
  await reportBatches(server);
  const persistent = report(`stored, persistent, window ${WINDOW}`, await load(server, { window: WINDOW }));
  await reportBatches(server);
  print("connections, then storing", `${rate(1 / (seconds(nothingStored) + seconds(persistent)))} (a bound)`);
  const peakMegabytes = residentMegabytes(server.pid);
  await Bun.sleep(REST_MS);
  const lone = await load(server, { window: 1, messages: LONE_MESSAGES, connections: 1 });
  print("stored, a lone message", `p50 ${ms(lone.latenciesMs.p50)}  p99 ${ms(lone.latenciesMs.p99)}`);
  print("server's resident memory", `${peakMegabytes} MB, ${residentMegabytes(server.pid)} MB after a rest`);
  const [rows] = await database.query("SELECT COUNT(*) AS stored FROM ethereum_data");
  print("rows stored", `${(rows as [{ stored: number }])[0].stored} of ${from - firstPage}`);
}
print("one row a commit, one connection", `${rate(await insertOneByOne())} (what an older server does)`);
print(`${CEILING_ROWS} rows an INSERT, alone`, `${rate(await insertInBulk())} (the database's own ceiling)`);
await database.end();

async function startServer(env: Readonly<Record<string, string>>): Promise<RunningServer> {
  const flags = ["--host", "0.0.0.0", "--port", "0", "--metrics-port", "0"];
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "..", "server.ts"), ...flags], {
    cwd: folder.path,
    env: { ...process.env, ...env },
    stdio: ["ignore", Bun.file("/dev/null"), "pipe"],
  });
  let log = "";
  for await (const piece of child.stderr) {
    log += Buffer.from(piece).toString();
    const [, port] = /Listening on \S+?:(\d+),/.exec(log) ?? [];
    const [metricsUrl] = /http:\S+\/metrics/.exec(log) ?? [];
    if (!port || !metricsUrl) continue;
    return {
      pid: child.pid,
      port: Number(port),
      metricsUrl,
      async [Symbol.asyncDispose]() {
        child.kill("SIGTERM");
        await child.exited;
      },
    };
  }
  throw new Error(`The server did not start: ${log}`);
}

async function load(
  { pid, port }: RunningServer,
  options: Partial<Load>,
): Promise<LoadResult & { cpuMicroseconds: number }> {
  const job: Load = { port, messages, connections, window: 0, from, ...options };
  from += job.messages;
  const before = cpuSeconds(pid);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "ingest_load.ts"), JSON.stringify(job)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const result = JSON.parse(await new Response(child.stdout).text()) as LoadResult;
  return { ...result, cpuMicroseconds: ((cpuSeconds(pid) - before) / job.messages) * 1e6 };
}

function report(what: string, result: LoadResult & { cpuMicroseconds: number }): LoadResult {
  const { failed, latenciesMs, cpuMicroseconds } = result;
  print(
    what,
    `${rate(1 / seconds(result))}  p50 ${ms(latenciesMs.p50)}  p99 ${ms(latenciesMs.p99)}  ` +
      `CPU ${cpuMicroseconds.toFixed(0)} µs a message  failed ${failed}`,
  );
  return result;
}

/** Time that the whole machine took for a message. */
function seconds(result: LoadResult): number {
  return result.seconds / result.acknowledged;
}

/** Prints how many batches there were of each size since the server's start. */
async function reportBatches({ metricsUrl }: RunningServer): Promise<void> {
  const text = await (await fetch(metricsUrl)).text();
  const buckets = [...text.matchAll(/^eth_server_batch_messages_bucket\{le="([^"]+)".*\} (\d+)$/gm)];
  let below = 0;
  const sizes = buckets.flatMap(([, limit = "", count = ""]) => {
    const inBucket = Number(count) - below;
    below = Number(count);
    return inBucket > 0 ? [`to ${limit}: ${inBucket}`] : [];
  });
  print("  batches by size so far", sizes.join(", "));
}

async function insertOneByOne(): Promise<number> {
  await database.query("CREATE TABLE one_by_one LIKE ethereum_data");
  const startedAt = performance.now();
  let inserted = 0;
  for (; performance.now() - startedAt < ONE_ROW_SECONDS * 1000; inserted++) {
    const page = renderBlockPage(BigInt(inserted));
    await database.query("INSERT INTO one_by_one (hash, payload) VALUES (?, ?)", [hashOf(page), page]);
  }
  return inserted / ((performance.now() - startedAt) / 1000);
}

async function insertInBulk(): Promise<number> {
  await database.query("CREATE TABLE in_bulk LIKE ethereum_data");
  const batches = Array.from({ length: CEILING_STATEMENTS }, (_, batch) =>
    Array.from({ length: CEILING_ROWS }, (_row, row) => {
      const page = renderBlockPage(BigInt(batch * CEILING_ROWS + row));
      return [hashOf(page), page];
    }),
  );
  const startedAt = performance.now();
  for (const batch of batches) await database.query("INSERT INTO in_bulk (hash, payload) VALUES ?", [batch]);
  return (CEILING_ROWS * CEILING_STATEMENTS) / ((performance.now() - startedAt) / 1000);
}

function hashOf(page: string): string {
  return Bun.SHA256.hash(page, "hex");
}

/** User and system time of a process, which Linux counts in ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMegabytes(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

function print(what: string, figures: string): void {
  console.log(`${what.padEnd(34)} ${figures}`);
}

function rate(perSecond: number): string {
  return `${Math.round(perSecond).toLocaleString("en")}/s`.padStart(9);
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
