import { Database, type SQLiteError } from "bun:sqlite";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { OperationalError } from "../operational_error.ts";

/** How long a write waits for another process that writes the same file. */
const BUSY_TIMEOUT_MS = 5000;

/** Options of {@linkcode openSqliteDatabase}. */
export interface SqliteDatabaseOptions {
  readonly file: string;
  /** Statements that create what is missing; without them the file must exist and is only read. */
  readonly create?: readonly string[];
  /** Keeps other processes out for as long as it is open. @default {false} */
  readonly exclusive?: boolean;
}

/**
 * Opens a SQLite file in WAL mode.
 *
 * @throws {OperationalError} when the file cannot be used
 */
export function openSqliteDatabase({ file, create, exclusive = false }: SqliteDatabaseOptions): Database {
  let database: Database | undefined;
  try {
    // A reader opens for writing too, as it could not share the WAL's index with a server otherwise.
    database = new Database(file, { create: create !== undefined, readwrite: true });
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (exclusive) database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    // What was acknowledged survives a power cut, not only the end of the process.
    database.run("PRAGMA synchronous = FULL");
    for (const statement of create ?? ["PRAGMA query_only = ON"]) database.run(statement);
    return database;
  } catch (error) {
    database?.close();
    const { code, message } = error as SQLiteError;
    const reason = code === "SQLITE_BUSY" ? "another program uses it" : (findObstacle(file) ?? message);
    throw new OperationalError(`Cannot open the database file ${file}: ${reason}`, { cause: error });
  }
}

/** Finds out why a file cannot be opened, where SQLite says no more than that. */
function findObstacle(file: string): string | undefined {
  const folder = dirname(file);
  if (!existsSync(folder)) return `there is no folder ${folder}`;
  const isThere = existsSync(file);
  if (isThere && statSync(file).isDirectory()) return "it is a folder";
  try {
    accessSync(isThere ? file : folder, constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return isThere ? "it may not be read and written" : `nothing may be written in ${folder}`;
  }
}
