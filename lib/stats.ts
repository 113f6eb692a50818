import { createCat, type CatOptions } from "./cat/app.ts";
import { createListenError } from "./listen_error.ts";
import { formatAddress } from "./printable.ts";
import type { StatsSettings } from "./settings.ts";

/** Options of {@linkcode startStats}. */
export interface StatsOptions extends CatOptions {
  readonly settings: Pick<StatsSettings, "host" | "port">;
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
export function startStats({ settings: { host, port }, ...catOptions }: StatsOptions): Stats {
  const app = createCat(catOptions);
  try {
    const server = Bun.serve({
      hostname: host === "localhost" ? "127.0.0.1" : host,
      port,
      fetch: app.fetch,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
    });
    catOptions.log.info(
      `Listening: see http://${formatAddress({ ip: host, port: server.port ?? port })}/_cat`,
    );
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
