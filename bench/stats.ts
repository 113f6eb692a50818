/**
 * Measures the stats API on the embedded store, and on MySQL and Redis of its own.
 *
 * Usage: bun bench/stats.ts [--rows 100,1000000] [--seconds 4] [--stores sqlite,databases]
 *
 * Each route is loaded by wrk over 64 connections, in turn with a bare Hono route that runs in the same process, so
 * that what is compared was measured side by side. The API runs as a process of its own, as it does for users.
 */
import { Hono } from "hono";
import { parseArgs } from "node:util";
import { createConnection } from "mysql2/promise";
import { renderBlockPage } from "../lib/block_page.ts";
import { createCat } from "../lib/cat/app.ts";
import { Live } from "../lib/cat/dashboard/live.ts";
import { Stores } from "../lib/cat/stores.ts";
import { createStatsMetrics } from "../lib/metrics.ts";
import { MysqlStore } from "../lib/store/mysql.ts";
import { RedisStore } from "../lib/store/redis.ts";
import { openSqliteStore } from "../lib/store/sqlite.ts";
import { SqliteFile } from "../lib/store/sqlite_file.ts";
import type { PageReader, Receipt, StatsReader, Store } from "../lib/store/store.ts";
import { createLog } from "../lib/log.ts";
import { startMysql, startRedis } from "../tests/support/database_server.ts";
import { openTempFolder } from "../tests/support/temp_folder.ts";

/** What the API is measured on. */
interface Opened extends AsyncDisposable {
  readonly pages: PageReader;
  readonly stats: StatsReader;
  /** Each is given all rows. */
  readonly written: readonly Store[];
}

interface Measured {
  readonly perSecond: number;
  readonly p99Ms: number;
}

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "100,1000000" },
    seconds: { type: "string", default: "4" },
    stores: { type: "string", default: "sqlite,databases" },
    serve: { type: "string" },
  },
});
const CONNECTIONS = 64;
const BATCH_ROWS = 5000;
/** The one with the median share counts. */
const ROUNDS = 3;
const VIEWERS = 1000;
const VIEWER_SECONDS = 10;
const NEWEST_SECONDS = 1_795_329_800;
const QUIET = createLog({ format: "text", verbose: false, write: () => true });

if (options.serve) await serve(options.serve);
else await measureAll();

/** Answers the API, the bare route and the number of questions the stores were asked, until it is killed. */
async function serve(kind: string): Promise<void> {
  const opened = await open(kind, process.env["BENCH_FILE"] ?? "");
  let questions = 0;
  const counted = <Reader extends object>(reader: Reader): Reader =>
    new Proxy(reader, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          questions++;
          return value.apply(target, args);
        };
      },
    });
  const pages = counted(opened.pages);
  const stats =
    (opened.stats as unknown) === opened.pages ? (pages as unknown as StatsReader) : counted(opened.stats);
  const live = new Live({ stores: new Stores({ pages, stats, log: QUIET }) });
  live.start();
  const cat = createCat({ pages, stats, live, metrics: createStatsMetrics(), log: QUIET });
  const bare = new Hono().get("/bare", (context) => context.text("=^.^="));
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    fetch(request) {
      const { url } = request;
      if (url.endsWith("/bare")) return bare.fetch(request);
      return url.endsWith("/questions") ? Response.json(questions) : cat.fetch(request);
    },
  });
  console.log(server.port);
}

async function measureAll(): Promise<void> {
  console.log(
    `wrk, ${CONNECTIONS} connections, ${options.seconds} s a route; requests/s, p99, share of the bare route beside it\n`,
  );
  for (const kind of options.stores.split(",")) {
    for (const rows of options.rows.split(",").map(Number)) await measureStore(kind, rows);
  }
}

async function measureStore(kind: string, rows: number): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await openTempFolder());
  const file = folder.file("eth.db");
  if (kind === "databases") Object.assign(process.env, await startDatabases(opened));
  const hash = await fill(kind, { file, rows });
  const child = Bun.spawn([process.execPath, import.meta.path, "--serve", kind], {
    env: { ...process.env, BENCH_FILE: file },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { value } = await child.stdout.getReader().read();
  const url = `http://127.0.0.1:${Number(Buffer.from(value ?? []).toString())}`;
  console.log(`${kind}, ${rows.toLocaleString("en")} rows`);
  for (const path of ["/_cat/hashes", "/_cat/clients", "/_cat/blocks", `/_cat/hashes/${hash}`]) {
    const rounds: { readonly bare: Measured; readonly route: Measured }[] = [];
    for (let round = 0; round < ROUNDS; round++)
      rounds.push({ bare: await load(`${url}/bare`), route: await load(url + path) });
    const shareOf = ({ bare, route }: (typeof rounds)[number]) => route.perSecond / bare.perSecond;
    const median = rounds.toSorted((a, b) => shareOf(a) - shareOf(b))[Math.floor(ROUNDS / 2)];
    if (median)
      console.log(
        `  ${path.slice(0, 24).padEnd(26)}${describe(median.route)}  ${percent(shareOf(median))} of ${describe(median.bare)}`,
      );
  }
  console.log(
    `  ${VIEWERS} viewers of the dashboard: ${await countQuestions(url)} questions to the store a second`,
  );
  child.kill();
  await child.exited;
}

/** Starts a MySQL and a Redis of the run's own, and tells where they are. */
async function startDatabases(opened: AsyncDisposableStack): Promise<Readonly<Record<string, string>>> {
  const mysql = opened.use(await startMysql());
  const redis = opened.use(await startRedis());
  const root = await createConnection({ host: mysql.host, port: mysql.port, user: "root" });
  await root.query("CREATE DATABASE eth");
  await root.end();
  return { MYSQL_PORT: `${mysql.port}`, MYSQL_USER: "root", MYSQL_PASS: "", REDIS_PORT: `${redis.port}` };
}

function describe({ perSecond, p99Ms }: Measured): string {
  return `${Math.round(perSecond).toString().padStart(6)}/s, p99 ${p99Ms.toFixed(1).padStart(4)} ms`;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`.padStart(5);
}

async function load(url: string): Promise<Measured> {
  const child = Bun.spawn(["wrk", "-t1", `-c${CONNECTIONS}`, `-d${options.seconds}s`, "--latency", url]);
  const output = await new Response(child.stdout).text();
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  const [, p99 = "", unit = ""] = /99%\s+([\d.]+)(us|ms|s)/.exec(output) ?? [];
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(`Cannot measure ${url}: ${output}`);
  return { perSecond, p99Ms: Number(p99) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN) };
}

async function countQuestions(url: string): Promise<string> {
  let events = 0;
  // Sockets, as fetch() makes a few hundred connections at most.
  const viewers = await Promise.all(
    Array.from({ length: VIEWERS }, () =>
      Bun.connect({
        hostname: "127.0.0.1",
        port: Number(new URL(url).port),
        socket: {
          open: (socket) => void socket.write("GET /dashboard/events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
          data: () => void events++,
        },
      }),
    ),
  );
  const ask = async () => Number(await (await fetch(`${url}/questions`)).text());
  const before = await ask();
  await Bun.sleep(VIEWER_SECONDS * 1000);
  const questions = (await ask()) - before;
  for (const viewer of viewers) viewer.terminate();
  if (events < VIEWERS) throw new Error(`Cannot count questions as ${VIEWERS} viewers got ${events} events`);
  return (questions / VIEWER_SECONDS).toFixed(1);
}

/** Writes rows in batches of blocks 12 s apart by ten clients; resolves to the hash of the newest. */
async function fill(kind: string, { file, rows }: { file: string; rows: number }): Promise<string> {
  await using opened = await open(kind, file);
  let hash = "";
  for (let from = 0; from < rows; from += BATCH_ROWS) {
    const receipts = Array.from({ length: Math.min(BATCH_ROWS, rows - from) }, (_, index): Receipt => {
      const payload = renderBlockPage(BigInt(from + index));
      hash = Bun.SHA256.hash(payload, "hex");
      const receivedAtSeconds = NEWEST_SECONDS - 12 * (rows - from - index);
      return { payload, hash, ip: `10.0.0.${index % 10}`, receivedAtSeconds };
    });
    for (const store of opened.written) await store.write({ id: crypto.randomUUID(), receipts });
  }
  return hash;
}

/** The embedded store, or MySQL and Redis as MYSQL_* and REDIS_* name them. */
async function open(kind: string, file: string): Promise<Opened> {
  if (kind === "sqlite") {
    const store = openSqliteStore({ file });
    const reader = new SqliteFile({ file });
    return {
      pages: reader,
      stats: reader,
      written: [store],
      async [Symbol.asyncDispose]() {
        await Promise.all([store[Symbol.asyncDispose](), reader[Symbol.asyncDispose]()]);
      },
    };
  }
  const { env } = process;
  const pages = new MysqlStore({
    host: env["MYSQL_HOST"] ?? "127.0.0.1",
    port: Number(env["MYSQL_PORT"] ?? 3306),
    user: env["MYSQL_USER"] ?? "eth_user",
    password: env["MYSQL_PASS"] ?? "eth_password",
    database: env["MYSQL_DB"] ?? "eth",
  });
  await pages.prepare();
  const stats = new RedisStore({
    host: env["REDIS_HOST"] ?? "127.0.0.1",
    port: Number(env["REDIS_PORT"] ?? 6379),
    db: Number(env["REDIS_DB"] ?? 0),
  });
  return {
    pages,
    stats,
    written: [pages, stats],
    async [Symbol.asyncDispose]() {
      await Promise.all([pages[Symbol.asyncDispose](), stats[Symbol.asyncDispose]()]);
    },
  };
}
