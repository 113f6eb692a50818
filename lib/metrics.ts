import type { DeliveryOutcome } from "./delivery.ts";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Counts in the form that Prometheus reads. */
export interface Metrics {
  readonly contentType: string;
  /** Renders the counts as they are now. */
  render(): Promise<string>;
}

/** What a server counts by itself, read whenever Prometheus asks. */
export interface ServerReadings {
  readonly received: number;
  readonly receivedBytes: number;
  readonly stored: number;
  readonly duplicates: number;
  /** Refused messages by code. */
  readonly refused: ReadonlyMap<string, number>;
  readonly connections: number;
  /** Connections so far, and those that the server refused or ended, by the limit. */
  readonly accepted: number;
  readonly limited: Readonly<Record<string, number>>;
  readonly spooled: number;
}

/** Metrics of the server. */
export interface ServerMetrics extends Metrics {
  /** Counts a batch that the store has written, or has failed to. */
  observeBatch(batch: { readonly messages: number; readonly seconds: number }): void;
}

/** Metrics of the client. */
export interface ClientMetrics extends Metrics {
  /** Whether a head of the chain was seen. */
  readonly hasHead: boolean;
  /** Notes a new head of the chain. */
  observeHead(blockNumber: bigint): void;
  /** Counts what became of a try to deliver; a block counts as seen when a head from it on was. */
  observeDelivery(outcome: DeliveryOutcome): void;
  /** Counts blocks that were given up. */
  observeDrop(blocks: number): void;
  /** Counts an endpoint's failure to answer. */
  observeRpcError(error: { readonly endpoint: string; readonly code: string }): void;
}

/** Metrics of the stats API. */
export interface StatsMetrics extends Metrics {
  /** Counts a request. */
  observeRequest(request: { readonly route: string; readonly status: number }): void;
}

const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LAG_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Heads whose time is kept until they are delivered. */
const MAX_SEEN_HEADS = 10_000;
const BATCH_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** Creates the metrics of the server; what it counts by itself is read at each scrape. */
export function createServerMetrics(read: () => ServerReadings): ServerMetrics {
  const registers = [createRegistry()];
  const count = (name: string, help: string, value: (readings: ServerReadings) => number) =>
    new Counter({
      name: `eth_server_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value(read()));
      },
    });
  const gauge = (name: string, help: string, value: (readings: ServerReadings) => number) =>
    new Gauge({
      name: `eth_server_${name}`,
      help,
      registers,
      collect() {
        this.set(value(read()));
      },
    });
  count("messages_received_total", "Messages received whole", ({ received }) => received);
  count("received_bytes_total", "Bytes of the messages received", ({ receivedBytes }) => receivedBytes);
  count("messages_stored_total", "Messages stored as the first of their kind", ({ stored }) => stored);
  count("messages_duplicate_total", "Messages whose page was stored before", ({ duplicates }) => duplicates);
  new Counter({
    name: "eth_server_messages_refused_total",
    help: "Messages refused, by the code of the refusal",
    labelNames: ["code"],
    registers,
    collect() {
      this.reset();
      for (const [code, refused] of read().refused) this.inc({ code }, refused);
    },
  });
  count(
    "connections_accepted_total",
    "Connections accepted, refused ones among them",
    ({ accepted }) => accepted,
  );
  new Counter({
    name: "eth_server_connections_limited_total",
    help: "Connections that the server refused or ended, by the limit they met",
    labelNames: ["limit"],
    registers,
    collect() {
      this.reset();
      for (const [limit, connections] of Object.entries(read().limited)) this.inc({ limit }, connections);
    },
  });
  gauge("connections", "Connections that are open", ({ connections }) => connections);
  gauge(
    "spooled_messages",
    "Messages that wait until a store can be written again",
    ({ spooled }) => spooled,
  );
  const batchMessages = new Histogram({
    name: "eth_server_batch_messages",
    help: "Messages written to the store together",
    buckets: BATCH_BUCKETS,
    registers,
  });
  const writeSeconds = new Histogram({
    name: "eth_server_store_write_duration_seconds",
    help: "Time that the store took to write a batch",
    buckets: SECONDS_BUCKETS,
    registers,
  });
  return {
    ...rendering(registers),
    observeBatch({ messages, seconds }) {
      batchMessages.observe(messages);
      writeSeconds.observe(seconds);
    },
  };
}

/** Creates the metrics of the client. */
export function createClientMetrics(): ClientMetrics {
  const registers = [createRegistry()];
  const head = new Gauge({ name: "eth_client_head_block", help: "Number of the latest block", registers });
  const lag = new Histogram({
    name: "eth_client_delivery_lag_seconds",
    help: "Time from seeing a block to the acknowledgement of its page",
    buckets: LAG_BUCKETS,
    registers,
  });
  const deliveries = new Counter({
    name: "eth_client_deliveries_total",
    help: "Tries to deliver a page, by outcome; dropped are the pages that were given up",
    labelNames: ["outcome"],
    registers,
  });
  const rpcErrors = new Counter({
    name: "eth_client_rpc_errors_total",
    help: "Answers that an endpoint failed to give, by the reason",
    labelNames: ["endpoint", "code"],
    registers,
  });
  /** When each head was seen, in monotonic milliseconds, the lowest first. */
  const seenAtMs = new Map<bigint, number>();
  let last: bigint | undefined;
  return {
    ...rendering(registers),
    get hasHead() {
      return last !== undefined;
    },
    observeHead(blockNumber) {
      if (last !== undefined && blockNumber <= last) seenAtMs.clear(); // the chain has begun anew
      if (seenAtMs.size >= MAX_SEEN_HEADS) seenAtMs.clear();
      seenAtMs.set(blockNumber, performance.now());
      last = blockNumber;
      head.set(Number(blockNumber));
    },
    observeDelivery(outcome) {
      deliveries.inc({ outcome: outcome.kind });
      if (outcome.kind === "failed") return;
      for (const [blockNumber, atMs] of seenAtMs) {
        if (blockNumber >= outcome.blockNumber) {
          if (outcome.kind === "acknowledged") lag.observe((performance.now() - atMs) / 1000);
          return;
        }
        seenAtMs.delete(blockNumber);
      }
    },
    observeDrop: (blocks) => deliveries.inc({ outcome: "dropped" }, blocks),
    observeRpcError: (error) => rpcErrors.inc({ ...error }),
  };
}

/** Creates the metrics of the stats API. */
export function createStatsMetrics(): StatsMetrics {
  const registers = [createRegistry()];
  // Counted apart, as a labelled counter costs a request more than all the rest of its answer.
  const requests = new Map<string, Map<number, number>>();
  new Counter({
    name: "eth_stats_requests_total",
    help: "Requests answered, by route and status",
    labelNames: ["route", "status"],
    registers,
    collect() {
      this.reset();
      for (const [route, counts] of requests)
        for (const [status, count] of counts) this.inc({ route, status }, count);
    },
  });
  return {
    ...rendering(registers),
    observeRequest({ route, status }) {
      const counts = requests.get(route) ?? new Map<number, number>();
      requests.set(route, counts.set(status, (counts.get(status) ?? 0) + 1));
    },
  };
}

// prom-client's own default metrics are mostly about Node.js, and zero here.
function createRegistry(): Registry {
  const registry = new Registry();
  const registers = [registry];
  const startedAtSeconds = (Date.now() - process.uptime() * 1000) / 1000;
  new Gauge({
    name: "process_start_time_seconds",
    help: "Start of the process, since the epoch",
    registers,
  }).set(startedAtSeconds);
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time, user and system",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  return registry;
}

function rendering([registry]: readonly Registry[]): Metrics {
  if (!registry) throw new TypeError("Cannot render metrics without a registry");
  return { contentType: registry.contentType, render: () => registry.metrics() };
}
