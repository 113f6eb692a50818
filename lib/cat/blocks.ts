import { parseBlockNumber } from "../block_page.ts";
import type { HashRow } from "../store/store.ts";
import type { Page, Table } from "./answer.ts";
import type { Stores } from "./stores.ts";
import type { Column } from "./table.ts";

/** A block as the list of blocks shows it. */
export interface BlockRow extends HashRow {
  /** None for a page that is no block page. */
  readonly blockNumber: bigint | null;
  /** Since the block before it was first seen; none when there is none, or either is no block. */
  readonly intervalSeconds: number | null;
  readonly bytes: number | null;
}

const DEFAULT_SIZE = 100;
/** Pages read at a time, which bounds the memory that long pages take. */
const READ_PAGES = 500;
const LOOK_BACK_ROWS = 5;

/** Shows the hash of a page. */
export const HASH_COLUMN: Column<HashRow> = {
  name: "hash",
  aliases: ["id"],
  description: "SHA-256 of the page",
  kind: "text",
  value: (row) => row.hash,
};

/** Shows when a page was first received. */
export const TIME_COLUMN: Column<HashRow> = {
  name: "timestamp",
  aliases: ["t", "time", "first_seen"],
  description: "when the page was first received, in seconds since the epoch",
  kind: "time",
  value: (row) => row.receivedAtSeconds,
};

/** Creates the table of blocks. */
export function blocksTable(stores: Stores): Table<BlockRow> {
  return {
    path: "/_cat/blocks",
    defaultSize: DEFAULT_SIZE,
    columns: [
      {
        name: "block",
        aliases: ["b", "number"],
        description: "number in the page; beyond 2^53 a text in JSON",
        kind: "number",
        value: (row) => row.blockNumber,
      },
      HASH_COLUMN,
      TIME_COLUMN,
      {
        name: "interval",
        aliases: ["i", "seconds"],
        description: "seconds since the block before was first received",
        kind: "duration",
        value: (row) => row.intervalSeconds,
      },
      {
        name: "bytes",
        aliases: ["size"],
        description: "size of the page",
        kind: "number",
        value: (row) => row.bytes,
      },
    ],
    read: (page) => readBlocks(stores, page),
    placeOf: (row) => row,
  };
}

/** Reads a part of the list of hashes as blocks. */
export async function readBlocks(stores: Stores, { limit, before }: Page): Promise<readonly BlockRow[]> {
  // A few more than are shown, for the block before the last one may have pages that are no blocks in between.
  const rows = await stores.stats((reader) => reader.listHashes({ limit: limit + LOOK_BACK_ROWS, before }));
  const blocks: BlockRow[] = [];
  for (let from = 0; from < rows.length; from += READ_PAGES) {
    const part = rows.slice(from, from + READ_PAGES);
    const pages = await stores.pages((reader) => reader.readPages(part.map(({ hash }) => hash)));
    for (const row of part) blocks.push(describeBlock(row, pages.get(row.hash)));
  }
  return withIntervals(blocks).slice(0, limit);
}

/** Describes what was received as a block; its interval is not known yet. */
export function describeBlock(row: HashRow, page: string | undefined): BlockRow {
  return {
    ...row,
    blockNumber: page === undefined ? null : (parseBlockNumber(page) ?? null),
    intervalSeconds: null,
    bytes: page === undefined ? null : new TextEncoder().encode(page).length,
  };
}

/** Adds to each block the time since the block before, the newest first; pages that are no blocks are left out of it. */
export function withIntervals(rows: readonly BlockRow[]): readonly BlockRow[] {
  let olderAtSeconds: number | undefined;
  return rows
    .toReversed()
    .map((row) => {
      if (row.blockNumber === null) return row;
      const intervalSeconds =
        olderAtSeconds === undefined ? null : roundToMicros(row.receivedAtSeconds - olderAtSeconds);
      olderAtSeconds = row.receivedAtSeconds;
      return { ...row, intervalSeconds };
    })
    .toReversed();
}

// Times have microseconds at best: the rest is noise of the subtraction.
function roundToMicros(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}
