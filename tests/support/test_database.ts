import { Redis } from "ioredis";
import { createConnection, type Connection } from "mysql2/promise";
import type { MysqlOptions } from "../../lib/store/mysql.ts";
import type { RedisOptions } from "../../lib/store/redis.ts";
import type { Address } from "../services.ts";

/** The table as the Go implementation creates it, in two statements. */
export const GO_TABLE = [
  `CREATE TABLE ethereum_data (id int(10) unsigned NOT NULL AUTO_INCREMENT, hash varchar(64) DEFAULT NULL,
    payload text DEFAULT NULL, PRIMARY KEY (id)) ENGINE=InnoDB`,
  "ALTER TABLE ethereum_data ADD UNIQUE KEY idx_hash (hash)",
];

/** The table as the Python implementation and the older stats API create it. */
export const PYTHON_TABLE = [
  `CREATE TABLE ethereum_data (id int(11) NOT NULL AUTO_INCREMENT, hash varchar(64) DEFAULT NULL,
    payload text DEFAULT NULL, PRIMARY KEY (id), UNIQUE KEY hash (hash)) ENGINE=InnoDB`,
];

/** Options of {@linkcode openMysqlDatabase}. */
export interface MysqlDatabaseOptions {
  /** Statements that make its tables. @default {[]} */
  readonly tables?: readonly string[];
  /** @default {"utf8mb4"} */
  readonly charset?: string;
}

/** An empty MySQL database for one test; disposing it drops it. */
export interface MysqlDatabase extends AsyncDisposable {
  readonly options: MysqlOptions;
  readonly connection: Connection;
  /** Runs a query and gives its rows. */
  rows<Row>(query: string): Promise<Row[]>;
}

/** Creates a database, and a user who may use nothing else. */
export async function openMysqlDatabase(
  { host, port, user, password }: Address,
  { tables = [], charset = "utf8mb4" }: MysqlDatabaseOptions = {},
): Promise<MysqlDatabase> {
  const database = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  const connection = await createConnection({ host, port, user, password, charset: "utf8mb4" });
  await connection.query(`CREATE DATABASE ${database} CHARACTER SET ${charset}`);
  await connection.query(`CREATE USER ${database}@'%' IDENTIFIED BY 'pass word'`);
  await connection.query(`GRANT ALL ON ${database}.* TO ${database}@'%'`);
  await connection.query(`USE ${database}`);
  for (const statement of tables) await connection.query(statement);
  return {
    options: { host, port, user: database, password: "pass word", database },
    connection,
    async rows<Row>(query: string) {
      const [rows] = await connection.query(query);
      return rows as Row[];
    },
    async [Symbol.asyncDispose]() {
      await connection.query(`DROP USER ${database}@'%'`);
      await connection.query(`DROP DATABASE ${database}`);
      await connection.end();
    },
  };
}

/** An empty Redis database for one test. */
export interface RedisDatabase extends AsyncDisposable {
  readonly options: RedisOptions;
  readonly redis: Redis;
}

/** Empties the database with a number, and gives it. */
export async function openRedisDatabase({ host, port, password }: Address, db = 0): Promise<RedisDatabase> {
  const redis = new Redis({ host, port, db, ...(password ? { password } : {}) });
  await redis.flushdb();
  return {
    options: { host, port, db, password: password || undefined },
    redis,
    async [Symbol.asyncDispose]() {
      await redis.flushdb();
      redis.disconnect();
    },
  };
}
