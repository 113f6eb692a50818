import { readFileSync } from "node:fs";
import { OperationalError } from "../operational_error.ts";
import type { DatabaseSettings } from "../settings/databases.ts";
import { MysqlStore } from "./mysql.ts";
import type { Readers } from "./open.ts";
import { RedisStore } from "./redis.ts";

/** Makes the store of pages in MySQL; where a setting is not given, as the older implementations' stats API has it. */
export function createMysqlStore(settings: DatabaseSettings): MysqlStore {
  return new MysqlStore({
    host: settings.mysqlHost ?? "localhost",
    port: settings.mysqlPort ?? 3306,
    user: settings.mysqlUser ?? "eth_user",
    password: settings.mysqlPass ?? "eth_password",
    database: settings.mysqlDb ?? "eth",
    tls: settings.mysqlTls ? (settings.mysqlCa ? { ca: readPem(settings.mysqlCa) } : {}) : undefined,
  });
}

/** Makes the store of statistics in Redis; where a setting is not given, as the older implementations' stats API has it. */
export function createRedisStore(settings: DatabaseSettings): RedisStore {
  return new RedisStore({
    host: settings.redisHost ?? "localhost",
    port: settings.redisPort ?? 6379,
    db: settings.redisDb ?? 0,
    password: settings.redisPass,
    tls: settings.redisTls,
  });
}

/** Opens MySQL and Redis to read from; like all it imports, it runs on Node.js too. */
export function openDatabaseReaders(settings: DatabaseSettings): Readers {
  const pages = createMysqlStore(settings);
  const stats = createRedisStore(settings);
  return {
    pages,
    stats,
    async [Symbol.asyncDispose]() {
      await Promise.all([pages, stats].map((store) => store[Symbol.asyncDispose]()));
    },
  };
}

function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new OperationalError(`Cannot read the certificates for MySQL: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
