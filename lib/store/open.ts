import type { Log } from "../log.ts";
import { OperationalError } from "../operational_error.ts";
import { aborted, createBackoff, sleep } from "../retry.ts";
import type { DatabaseSettings } from "../settings/databases.ts";
import type { ServerSettings } from "../settings/server.ts";
import type { StatsSettings } from "../settings/stats.ts";
import type { PageReader, StatsReader, StatsStore, Store } from "./store.ts";

/** What a server's store is opened with. */
export interface OpenOptions {
  readonly settings: Pick<
    ServerSettings,
    "sqlite" | "noStore" | "storeTimeoutMs" | "spool" | "spoolMaxMessages"
  > &
    DatabaseSettings;
  readonly log: Log;
  /** Ends the wait for a store that is away. */
  readonly signal: AbortSignal;
}

/** What stats are read from. */
export interface Readers extends AsyncDisposable {
  readonly pages: PageReader;
  readonly stats: StatsReader;
}

const MAX_PROBE_MS = 5000;
const UTF8 = "utf8mb4";

/**
 * Opens what a server stores in: MySQL, Redis or both behind a spool, else the embedded store, else nothing.
 *
 * Waits for MySQL and Redis, as containers start in any order.
 *
 * @throws {OperationalError} when a store cannot be used, or does not appear in time
 */
export async function openStore(options: OpenOptions): Promise<Store | undefined> {
  const { settings, log } = options;
  if (settings.noStore) return undefined;
  if (!settings.useMysql && !settings.useRedis) {
    const { openSqliteStore } = await import("./sqlite.ts");
    return openSqliteStore({ file: settings.sqlite });
  }
  await using opened = new AsyncDisposableStack();
  const { openSpool } = await import("./spool.ts");
  const { SpooledStore } = await import("./spooled.ts");
  const spool = opened.use(openSpool({ file: settings.spool, maxMessages: settings.spoolMaxMessages }));
  const { createMysqlStore, createRedisStore } = await import("./databases.ts");
  const stores: Store[] = [];
  let beaten: StatsStore | undefined;
  if (settings.useMysql) {
    const mysql = opened.use(createMysqlStore(settings));
    const charset = await waitFor(() => mysql.prepare(), { what: "MySQL", ...options });
    if (charset !== undefined && charset !== UTF8) {
      log.warn(
        `The MySQL table ethereum_data has the character set ${charset}: messages outside of it are refused`,
      );
    }
    stores.push(opened.use(new SpooledStore({ store: mysql, spool, log })));
  }
  if (settings.useRedis) {
    const redis = opened.use(createRedisStore(settings));
    await waitFor(() => redis.check(), { what: "Redis", ...options });
    stores.push(opened.use(new SpooledStore({ store: redis, spool, log })));
    beaten = redis;
  }
  const { JoinedStore } = await import("./joined.ts");
  return new JoinedStore(stores, { opened: opened.move(), beaten });
}

/** Opens what stats are read from: MySQL and Redis when any of their settings is given, else the embedded store. */
export async function openReaders(settings: StatsSettings): Promise<Readers> {
  if (!usesDatabases(settings)) {
    const { SqliteFile } = await import("./sqlite_file.ts");
    const file = new SqliteFile({ file: settings.sqlite });
    return { pages: file, stats: file, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
  }
  const { openDatabaseReaders } = await import("./databases.ts");
  return openDatabaseReaders(settings);
}

/** Tries until it succeeds; resolves to nothing when told to stop before that. */
async function waitFor<Result>(
  attempt: () => Promise<Result>,
  { what, settings, log, signal }: OpenOptions & { readonly what: string },
): Promise<Result | undefined> {
  const backoff = createBackoff({ maxMs: MAX_PROBE_MS });
  const startedAt = performance.now();
  while (!signal.aborted) {
    try {
      return await Promise.race([attempt(), aborted(signal).then(() => undefined)]);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof OperationalError) throw error;
      const { message } = error as Error;
      const waitedMs = performance.now() - startedAt;
      const seconds = Math.round(waitedMs / 1000);
      if (waitedMs >= settings.storeTimeoutMs)
        throw new OperationalError(`${message} (waited ${seconds} s)`, { cause: error });
      log.info(`Waiting for ${what} (${seconds} of ${settings.storeTimeoutMs / 1000} s): ${message}`);
      await sleep(Math.min(backoff.next(), settings.storeTimeoutMs - waitedMs), signal);
    }
  }
  return undefined;
}

function usesDatabases(settings: DatabaseSettings): boolean {
  const { useMysql, mysqlHost, mysqlPort, mysqlUser, mysqlPass, mysqlDb } = settings;
  const { useRedis, redisHost, redisPort, redisDb, redisPass } = settings;
  const given = [
    mysqlHost,
    mysqlPort,
    mysqlUser,
    mysqlPass,
    mysqlDb,
    redisHost,
    redisPort,
    redisDb,
    redisPass,
  ];
  return useMysql || useRedis || given.some((value) => value !== undefined);
}
