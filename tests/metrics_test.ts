import { describe, expect, test } from "bun:test";
import { renderBlockPage } from "../lib/block_page.ts";
import { startServer } from "../lib/server.ts";
import { startStats } from "../lib/stats.ts";
import { openSqliteStore } from "../lib/store/sqlite.ts";
import type { Store } from "../lib/store/store.ts";
import { createRecordingLog } from "./support/recording_log.ts";
import { startClient, type RunningClient } from "./support/running_client.ts";
import { parsePrometheus } from "./support/prometheus.ts";
import { until, within } from "./support/until.ts";

const SETTINGS = {
  host: "localhost",
  port: 0,
  metricsPort: 0,
  maxPayloadBytes: 1000,
  maxConnections: 100,
  maxConnectionsPerIp: 1000,
  messageTimeoutMs: 10_000,
  idleTimeoutMs: 10_000,
};

async function scrape(port: number | undefined) {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const metrics = parsePrometheus(await response.text());
  return (sample: string) => {
    const value = metrics.get(sample.replace(/\{.*|_(bucket|sum|count)$/, ""))?.samples.get(sample);
    return value;
  };
}

/** Sends bytes over a connection of their own and resolves to all that is answered until the server closes. */
async function exchange(port: number, bytes: string | Uint8Array): Promise<string> {
  let answer = "";
  const closed = Promise.withResolvers<string>();
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    allowHalfOpen: true,
    socket: {
      open: (socket) => void socket.write(bytes),
      data: (socket, piece) => {
        answer += piece.toString();
        socket.shutdown();
      },
      end: (socket) => void socket.end(),
      close: () => closed.resolve(answer),
    },
  });
  return within(closed.promise, { what: "the server's answer" });
}

async function metricsPortOf({ log }: RunningClient): Promise<number> {
  return until(() => Number(/localhost:(\d+)\/metrics/.exec(log.lines.join("\n"))?.[1]));
}

async function answerBlock(request: Request, block: number): Promise<Response> {
  const { id } = (await request.json()) as { id: number };
  return Response.json({ jsonrpc: "2.0", id, result: `0x${block.toString(16)}` });
}

function startTestServer(store: Store | undefined) {
  const log = createRecordingLog();
  const server = startServer({ settings: SETTINGS, store, output: async () => {}, log });
  return Object.assign(server, {
    [Symbol.asyncDispose]: () => server.stop({ timeoutMs: 1000 }),
  });
}

describe("the server's metrics", () => {
  test("each counter moves by exactly what was sent", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    await using server = startTestServer(store);
    const pages = [1n, 2n, 3n].map((number) => renderBlockPage(number));
    const [first = ""] = pages;
    const frames = [...pages, first, first].map((page) => `${page.length}:${page},`);
    for (const frame of frames) await exchange(server.port, frame);
    await exchange(server.port, frames.join("")); // 5 more, all of which are known
    await exchange(server.port, "0:,");
    await exchange(server.port, Buffer.from([0x31, 0x3a, 0xff, 0x2c]));
    await exchange(server.port, "x");
    await exchange(server.port, "1001:");
    const pageBytes = pages.reduce((sum, page) => sum + page.length, 0) + 2 * first.length;
    const read = await scrape(server.metricsPort);
    expect({
      received: read("eth_server_messages_received_total"),
      bytes: read("eth_server_received_bytes_total"),
      stored: read("eth_server_messages_stored_total"),
      duplicates: read("eth_server_messages_duplicate_total"),
      empty: read('eth_server_messages_refused_total{code="empty"}'),
      notUtf8: read('eth_server_messages_refused_total{code="not-utf8"}'),
      malformed: read('eth_server_messages_refused_total{code="malformed"}'),
      tooLarge: read('eth_server_messages_refused_total{code="too-large"}'),
      busy: read('eth_server_messages_refused_total{code="busy"}'),
      spooled: read("eth_server_spooled_messages"),
      batched: read("eth_server_batch_messages_sum"),
      accepted: read("eth_server_connections_accepted_total"),
      endedAsMalformed: read('eth_server_connections_limited_total{limit="malformed"}'),
      endedAsTooLarge: read('eth_server_connections_limited_total{limit="max-payload"}'),
      overTheirLimit: read('eth_server_connections_limited_total{limit="max-connections-per-ip"}'),
    }).toEqual({
      received: 12,
      bytes: 2 * pageBytes + 1,
      stored: 3,
      duplicates: 7,
      empty: 1,
      notUtf8: 1,
      malformed: 1,
      tooLarge: 1,
      busy: undefined,
      spooled: 0,
      batched: 10,
      accepted: 10,
      endedAsMalformed: 1,
      endedAsTooLarge: 1,
      overTheirLimit: 0,
    });
    expect(read("eth_server_store_write_duration_seconds_count")).toBe(
      read("eth_server_batch_messages_count"),
    );
    expect(read("process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
    expect(read("process_start_time_seconds")).toBeLessThanOrEqual(Date.now() / 1000);
    expect(read("process_cpu_seconds_total")).toBeGreaterThan(0);
  });

  test("open connections are counted", async () => {
    await using server = startTestServer(undefined);
    const connections = async () => (await scrape(server.metricsPort))("eth_server_connections");
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
    await until(async () => (await connections()) === 1, { what: "one connection" });
    socket.end();
    await until(async () => (await connections()) === 0, { what: "no connection" });
  });

  test("a store that fails counts its messages as unavailable, and one that keeps no tally those it took", async () => {
    let isAway = true;
    const store: Store = {
      name: "Test",
      async write() {
        if (isAway) throw new Error("away");
        return [];
      },
      async [Symbol.asyncDispose]() {},
    };
    await using server = startTestServer(store);
    await exchange(server.port, "1:a,1:b,");
    isAway = false;
    await exchange(server.port, "1:c,");
    const read = await scrape(server.metricsPort);
    expect([
      read('eth_server_messages_refused_total{code="unavailable"}'),
      read("eth_server_messages_stored_total"),
      read("eth_server_messages_received_total"),
    ]).toEqual([2, 1, 3]);
  });

  test("/healthz says that it runs, /readyz whether the store answers", async () => {
    let isAway = false;
    const store = {
      name: "Test",
      write: async () => [],
      async check() {
        if (isAway) throw new Error("secret");
      },
      async [Symbol.asyncDispose]() {},
    };
    await using server = startTestServer(store);
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${server.metricsPort}${path}`);
      return `${response.status} ${await response.text()}`;
    };
    expect([await ask("/healthz"), await ask("/readyz")]).toEqual(["200 ok", "200 ready"]);
    isAway = true;
    expect([await ask("/healthz"), await ask("/readyz")]).toEqual(["200 ok", "503 not ready"]);
    expect(await ask("/")).toBe("404 Not found: there are /healthz, /readyz and /metrics");
  });

  test("a port in use is told in a sentence", async () => {
    await using server = startTestServer(undefined);
    const settings = { ...SETTINGS, metricsPort: server.metricsPort ?? 0 };
    expect(() => startServer({ settings, output: async () => {}, log: createRecordingLog() })).toThrow(
      `Cannot listen on localhost:${server.metricsPort}: another program listens there; choose another --metrics-port`,
    );
  });
});

describe("the client's metrics", () => {
  test("each counter moves by exactly what was asked and delivered", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    await using server = startTestServer(store);
    let block = 100;
    using node = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => answerBlock(request, block++),
    });
    let failures = 0;
    using broken = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch() {
        failures++;
        return new Response("no", { status: 500 });
      },
    });
    await using client = startClient({
      port: server.port,
      ack: "required",
      rpcUrls: [`http://127.0.0.1:${broken.port}/key`, `http://127.0.0.1:${node.port}/key`],
      intervalMs: 20,
      metricsPort: 0,
    });
    const port = await metricsPortOf(client);
    const rpcErrors = `eth_client_rpc_errors_total{endpoint="127.0.0.1:${broken.port}",code="http"}`;
    const acknowledged = 'eth_client_deliveries_total{outcome="acknowledged"}';
    await until(async () => ((await scrape(port))(acknowledged) ?? 0) >= 3, { what: "three deliveries" });
    expect(await (await fetch(`http://127.0.0.1:${port}/readyz`)).text()).toBe("ready");
    // Nothing new from now on, so that what is counted stands still.
    block = 100_000;
    node.reload({
      fetch: (request) => answerBlock(request, block),
    });
    const read = await until(async () => {
      const now = await scrape(port);
      const isStill =
        now("eth_client_head_block") === 100_000 &&
        now(acknowledged) === store.tally.stored &&
        now(rpcErrors) === failures;
      return isStill ? now : undefined;
    });
    expect({
      acknowledged: read(acknowledged),
      failed: read('eth_client_deliveries_total{outcome="failed"}'),
      lags: read("eth_client_delivery_lag_seconds_count"),
    }).toEqual({
      acknowledged: store.tally.stored,
      failed: undefined,
      lags: store.tally.stored,
    });
  });

  test("a page that the server does not take counts as failed, and as dropped once there is a newer one", async () => {
    const nobody = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => socket.terminate(), data() {} },
    });
    using _listener = { [Symbol.dispose]: () => nobody.stop(true) };
    let block = 1;
    using node = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => answerBlock(request, block++),
    });
    const rpcUrls = [`http://127.0.0.1:${node.port}`];
    await using client = startClient({
      port: nobody.port,
      ack: "required",
      rpcUrls,
      intervalMs: 20,
      metricsPort: 0,
    });
    const port = await metricsPortOf(client);
    const read = await until(async () => {
      const now = await scrape(port);
      return now('eth_client_deliveries_total{outcome="dropped"}') ? now : undefined;
    });
    expect(read('eth_client_deliveries_total{outcome="failed"}')).toBeGreaterThan(0);
    expect(read('eth_client_deliveries_total{outcome="acknowledged"}')).toBeUndefined();
    expect(read("eth_client_delivery_lag_seconds_count")).toBe(0);
  });
});

describe("the stats API's metrics", () => {
  test("requests are counted by route and status, never by what was asked for", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    const log = createRecordingLog();
    const settings = { host: "localhost", port: 0, auth: undefined };
    await using stats = startStats({ settings, pages: store, stats: store, log });
    const ask = async (path: string) => (await fetch(`http://127.0.0.1:${stats.port}${path}`)).text();
    const paths = [
      "/_cat/hashes",
      "/_cat/hashes/",
      "/_cat/hashes?size=x",
      "/_cat/hashes/abc",
      "/_cat/hashes/def",
    ];
    for (const path of [...paths, "/x", "/y", "/healthz"]) await ask(path);
    const read = await scrape(stats.port);
    const count = (route: string, status: number) =>
      read(`eth_stats_requests_total{route="${route}",status="${status}"}`);
    expect([
      count("/_cat/hashes", 200),
      count("/_cat/hashes", 400),
      count("/_cat/hashes/:hash", 404),
      count("/*", 404),
      count("/healthz", 200),
      count("/metrics", 200),
    ]).toEqual([2, 1, 2, 2, 1, undefined]);
  });
});
