import { readFileSync } from "node:fs";
import { OperationalError } from "./operational_error.ts";

/** How many connections a process can hold. */
export interface ConnectionRoom {
  readonly maxConnections: number;
  /** Connections above them that can be kept while they are refused. */
  readonly maxRefused: number;
}

/** Files, databases and whatever else a server needs to have open besides its connections. */
const RESERVED_FILES = 64;
const MAX_REFUSED = 256;
/** Of the files that are left, one in so many is for connections that are refused. */
const REFUSED_SHARE = 4;

/** Reads how many files this process may have open (`ulimit -n`), where the system tells. */
export function readOpenFilesLimit(): number | undefined {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined; // there is no such file but on Linux
  }
}

/**
 * Fits connections into the open files that a process may have.
 *
 * Without it, a listener that has no file left for the next connection tries again and again, without a word and at
 * the full load of a processor, while nothing else can open a file either.
 *
 * @throws {OperationalError} when there is no room at all
 */
export function fitConnections(maxConnections: number, limit = Infinity): ConnectionRoom {
  const files = limit - RESERVED_FILES;
  const maxRefused = Math.min(MAX_REFUSED, Math.floor(files / REFUSED_SHARE));
  if (maxRefused < 1)
    throw new OperationalError(
      `Cannot serve with ${limit} open files: raise "ulimit -n" to ${2 * RESERVED_FILES} or more`,
    );
  return { maxConnections: Math.min(maxConnections, files - maxRefused), maxRefused };
}
