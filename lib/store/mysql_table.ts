import { DrizzleQueryError, sql } from "drizzle-orm";
import type { MySql2Database } from "drizzle-orm/mysql2";
import { ADD_UNIQUE_KEY, CREATE_TABLE } from "../../schema/mysql.ts";
import { OperationalError } from "../operational_error.ts";

/** Gives the error that MySQL reported; Drizzle's own message would hold the whole query. */
export function mysqlError(error: unknown): NodeJS.ErrnoException {
  return (error instanceof DrizzleQueryError && error.cause ? error.cause : error) as NodeJS.ErrnoException;
}

const LOCK_SECONDS = 10;

/**
 * Makes the table of pages usable: creates it where it is missing and completes one that another implementation
 * left without its unique key. Resolves to the character set of its payloads.
 *
 * Safe to run by any number of servers at once.
 *
 * @throws {OperationalError} when only people can mend the table
 */
export async function prepareTable(database: MySql2Database): Promise<string> {
  let charset = await readCharset(database);
  if (charset === undefined) {
    // Only now, as a user without the right to create tables may well use one that is there.
    await database.execute(sql.raw(CREATE_TABLE));
    charset = await readCharset(database);
  }
  if (!(await hasUniqueHash(database))) await addUniqueKey(database);
  return charset ?? "unknown";
}

/** Reads the character set of the payloads; resolves to nothing while there is no table. */
async function readCharset(database: MySql2Database): Promise<string | undefined> {
  const rows = await select<{ name: string; charset: string | null }>(
    database,
    sql`SELECT column_name AS name, character_set_name AS charset FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'ethereum_data'`,
  );
  if (rows.length === 0) return undefined;
  const missing = ["id", "hash", "payload"].filter((wanted) => !rows.some(({ name }) => name === wanted));
  if (missing.length === 0) return rows.find(({ name }) => name === "payload")?.charset ?? "binary";
  throw new OperationalError(
    `Cannot use the MySQL table ethereum_data as it has no column ${missing.join(", ")}: choose another --mysql-db`,
  );
}

async function hasUniqueHash(database: MySql2Database): Promise<boolean> {
  const rows = await select(
    database,
    sql`SELECT index_name FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = 'ethereum_data' AND non_unique = 0
        GROUP BY index_name HAVING COUNT(*) = 1 AND MAX(column_name) = 'hash' AND MAX(sub_part) IS NULL`,
  );
  return rows.length > 0;
}

async function addUniqueKey(database: MySql2Database): Promise<void> {
  await database.execute(sql`SELECT GET_LOCK('ethereum_data', ${LOCK_SECONDS})`);
  try {
    if (await hasUniqueHash(database)) return; // another server was first
    await database.execute(sql.raw(ADD_UNIQUE_KEY));
  } catch (error) {
    const { code, message } = mysqlError(error);
    // Another implementation, which knows no lock, may have added its key meanwhile.
    if (await hasUniqueHash(database)) return;
    throw new OperationalError(
      code === "ER_DUP_ENTRY"
        ? "Cannot use the MySQL table ethereum_data as it has no unique key on hash and holds pages more than once: delete the copies, then start again"
        : `Cannot add the unique key that the MySQL table ethereum_data lacks: ${message}`,
      { cause: error },
    );
  } finally {
    await database.execute(sql`SELECT RELEASE_LOCK('ethereum_data')`);
  }
}

async function select<Row>(database: MySql2Database, query: ReturnType<typeof sql>): Promise<readonly Row[]> {
  const [rows] = await database.execute(query);
  return rows as unknown as readonly Row[];
}
