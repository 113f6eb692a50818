import { createCat, type CatOptions } from "./cat/app.ts";
import { Live } from "./cat/dashboard/live.ts";
import { Stores } from "./cat/stores.ts";
import { createListenError } from "./listen_error.ts";
import { createStatsMetrics } from "./metrics.ts";
import { formatAddress } from "./printable.ts";
import type { StatsSettings } from "./settings/stats.ts";

/** Options of {@linkcode startStats}. */
export interface StatsOptions extends Omit<CatOptions, "auth" | "live" | "metrics"> {
  readonly settings: Pick<StatsSettings, "host" | "port" | "auth">;
}

/** A running stats API; disposing it finishes the requests under way. */
export interface Stats extends AsyncDisposable {
  readonly port: number;
}

const IDLE_TIMEOUT_SECONDS = 60;

/**
 * Starts to answer the stats API over HTTP.
 *
 * @throws {OperationalError} when the address cannot be listened on
 */
export function startStats({ settings: { host, port, auth }, ...options }: StatsOptions): Stats {
  const { log } = options;
  const live = new Live({ stores: new Stores(options) });
  const app = createCat({ ...options, auth, live, metrics: createStatsMetrics() });
  try {
    const server = Bun.serve({
      hostname: host === "localhost" ? "127.0.0.1" : host,
      port,
      fetch: app.fetch,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
    });
    live.start();
    const url = `http://${formatAddress({ ip: host, port: server.port ?? port })}`;
    log.info(`Listening: see ${url}/dashboard with a browser, ${url}/_cat with curl`);
    if (!auth && !isLoopback(host))
      log.warn(`Everybody who reaches ${host} may look: choose a user and a password with --auth`);
    return {
      port: server.port ?? port,
      async [Symbol.asyncDispose]() {
        live[Symbol.dispose]();
        await server.stop();
      },
    };
  } catch (error) {
    throw createListenError({ host, port }, error);
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
