import type { HashRow } from "../store/store.ts";
import { renderHelp, renderJson, renderText, type Column } from "./table.ts";
import { formatPlace, parseOffset, parsePlace, parseView, sortRows, type View } from "./view.ts";

/** What is asked of a table's source. */
export interface Page {
  readonly limit: number;
  readonly before?: HashRow | undefined;
}

/** A table of the API: its columns, and where its rows come from. */
export interface Table<Row> {
  readonly path: `/_cat/${string}`;
  readonly columns: readonly Column<Row>[];
  /** Rows that are listed when no size is asked for. */
  readonly defaultSize: number;
  /** Reads rows: those of the page, where the table follows the list of hashes, and all of them otherwise. */
  readonly read: (page: Page) => Promise<readonly Row[]>;
  /** Gives a row's place in the list of hashes, for tables that follow it. */
  readonly placeOf?: (row: Row) => HashRow;
}

/** What a request asks of a table. */
export interface TableRequest {
  readonly query: URLSearchParams;
  readonly isJson: boolean;
}

/** What is answered to a request for a table. */
export interface TableAnswer {
  readonly body: string;
  /** The `before` that lists the rows behind these, where there may be some. */
  readonly next?: string | undefined;
}

/**
 * Answers a request for a table.
 *
 * @throws {CatError} when a parameter is wrong or a store is away
 */
export async function answerTable<Row>(
  table: Table<Row>,
  { query, isJson }: TableRequest,
): Promise<TableAnswer> {
  const view = parseView(query, table);
  if (view.help) return { body: renderHelp(table.columns, { isJson }) };
  const { rows, next } = table.placeOf ? await readPage(table, view) : await readAll(table, view);
  return { body: isJson ? renderJson(view.columns, rows) : renderText(view.columns, rows, view), next };
}

/** The store has the order and the cursor: what it gives is sorted within the page. */
async function readPage<Row>({ read, placeOf, defaultSize }: Table<Row>, view: View<Row>) {
  const limit = view.size ?? defaultSize;
  const rows = await read({
    limit,
    before: view.before === undefined ? undefined : parsePlace(view.before),
  });
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return { rows: sortRows(rows, view.sort), next: last && placeOf && formatPlace(placeOf(last)) };
}

/** All rows are at hand: they are sorted first, and the page is cut from them. */
async function readAll<Row>({ read, defaultSize }: Table<Row>, view: View<Row>) {
  const from = view.before === undefined ? 0 : parseOffset(view.before);
  const limit = view.size ?? defaultSize;
  const rows = sortRows(await read({ limit }), view.sort);
  const end = from + limit;
  return { rows: rows.slice(from, end), next: end < rows.length ? String(end) : undefined };
}
