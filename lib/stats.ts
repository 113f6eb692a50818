import { createCat, type CatOptions } from "./cat/app.ts";
import { createListenError } from "./listen_error.ts";
import { createStatsMetrics } from "./metrics.ts";
import { formatAddress } from "./printable.ts";
import type { StatsSettings } from "./settings.ts";

/** Options of {@linkcode startStats}. */
export interface StatsOptions extends Omit<CatOptions, "auth" | "metrics"> {
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
  const app = createCat({ ...options, auth, metrics: createStatsMetrics() });
  try {
    const server = Bun.serve({
      hostname: host === "localhost" ? "127.0.0.1" : host,
      port,
      fetch: app.fetch,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
    });
    log.info(`Listening: see http://${formatAddress({ ip: host, port: server.port ?? port })}/_cat`);
    if (!auth && !isLoopback(host))
      log.warn(`Everybody who reaches ${host} may look: choose a user and a password with --auth`);
    return {
      port: server.port ?? port,
      async [Symbol.asyncDispose]() {
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
