import { createListenError } from "./listen_error.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { formatAddress } from "./printable.ts";

/** Options of {@linkcode startMonitor}. */
export interface MonitorOptions {
  readonly host: string;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  readonly metrics: Metrics;
  /** Rejects while the program cannot do its work. */
  readonly check: () => Promise<void>;
  readonly log: Log;
}

/** A running monitor. */
export interface Monitor extends AsyncDisposable {
  readonly port: number;
}

/** Longest wait for a store to say that it is there. */
const READY_TIMEOUT_MS = 5000;

/**
 * Starts to answer `/healthz` (the process runs), `/readyz` (it can do its work) and `/metrics` over HTTP.
 *
 * @throws {OperationalError} when the address cannot be listened on
 */
export function startMonitor({ host, port, metrics, check, log }: MonitorOptions): Monitor {
  const text = (body: string, init: { status?: number; type?: string } = {}) =>
    new Response(body, {
      status: init.status ?? 200,
      headers: { "content-type": init.type ?? "text/plain; charset=utf-8", "cache-control": "no-store" },
    });
  try {
    const server = Bun.serve({
      hostname: host === "localhost" ? "127.0.0.1" : host,
      port,
      routes: {
        "/healthz": () => text("ok"),
        "/readyz": async () => ((await isReady(check)) ? text("ready") : text("not ready", { status: 503 })),
        "/metrics": async () => text(await metrics.render(), { type: metrics.contentType }),
      },
      fetch: () => text("Not found: there are /healthz, /readyz and /metrics", { status: 404 }),
    });
    const listeningPort = server.port ?? port;
    log.info(`Metrics are at http://${formatAddress({ ip: host, port: listeningPort })}/metrics`);
    return {
      port: listeningPort,
      async [Symbol.asyncDispose]() {
        await server.stop(true);
      },
    };
  } catch (error) {
    throw createListenError({ host, port, flags: "--metrics-" }, error);
  }
}

async function isReady(check: () => Promise<void>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), READY_TIMEOUT_MS);
  const answer = check().then(
    () => true,
    () => false, // whoever uses the store says why
  );
  const ready = await Promise.race([answer, late.promise]);
  clearTimeout(timer);
  return ready;
}
