import { heapStats } from "bun:jsc";
import { readdirSync, readlinkSync } from "node:fs";
import { runClient } from "../../lib/client.ts";
import type { ClientSettings } from "../../lib/settings/client.ts";
import { createClientSettings } from "./running_client.ts";

/** What a process holds. */
export interface Holdings {
  readonly heapBytes: number;
  readonly residentBytes: number;
  /** Objects of the kinds that leak, by kind. */
  readonly objects: Readonly<Record<string, number>>;
  /** Open sockets; 0 where the system does not tell. */
  readonly sockets: number;
}

/** A client in a process of its own, which tells what it holds; disposing it kills it. */
export interface MeasuredClient extends AsyncDisposable {
  measure(): Promise<Holdings>;
  /** Stops the client, and measures what is left. */
  stop(): Promise<Holdings>;
}

type Order = "measure" | "stop";

/** Starts a client that logs nothing. */
export function startMeasuredClient(settings: Partial<ClientSettings>): MeasuredClient {
  let answer = Promise.withResolvers<Holdings>();
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(settings)], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (holdings) => answer.resolve(holdings as Holdings),
  });
  const order = (what: Order) => {
    answer = Promise.withResolvers();
    child.send(what);
    return answer.promise;
  };
  return {
    measure: () => order("measure"),
    stop: () => order("stop"),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

const COUNTED = [
  "Timeout",
  "WebSocket",
  "TCPSocket",
  "TLSSocket",
  "AbortSignal",
  "AbortController",
  "Promise",
];

function measure(): Holdings {
  Bun.gc(true);
  const { heapSize, objectTypeCounts } = heapStats();
  return {
    heapBytes: heapSize,
    residentBytes: process.memoryUsage().rss,
    objects: Object.fromEntries(COUNTED.map((kind) => [kind, objectTypeCounts[kind] ?? 0])),
    sockets: countSockets(),
  };
}

function countSockets(): number {
  const folder = "/proc/self/fd";
  try {
    return readdirSync(folder).filter((name) => isSocket(`${folder}/${name}`)).length;
  } catch {
    return 0; // there is no such folder on this system
  }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch {
    return false; // the one that read the folder is closed by now
  }
}

async function runMeasured(): Promise<void> {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const settings = createClientSettings(JSON.parse(Bun.argv[2] ?? "{}") as Partial<ClientSettings>);
  const stop = new AbortController();
  const ended = runClient({ settings, log, signal: stop.signal });
  process.on("message", async (order: Order) => {
    if (order === "stop") {
      stop.abort();
      await ended;
      await new Promise((resolve) => setImmediate(resolve)); // sockets that were cut are closed by then
    }
    process.send?.(measure());
  });
}

if (import.meta.main) await runMeasured();
