import { printable } from "../printable.ts";

/** One value of a row; null where there is none. */
export type Cell = string | number | bigint | null;

/** A column of a table. */
export interface Column<Row> {
  readonly name: string;
  /** Other names that it may be asked for by. */
  readonly aliases: readonly string[];
  /** What it tells, for the table's help. */
  readonly description: string;
  /** Texts stand left, all others right; times are seconds since the epoch, durations are in the unit described. */
  readonly kind: "text" | "number" | "time" | "duration";
  readonly value: (row: Row) => Cell;
}

/** A column under the title that it was asked for by. */
export interface ShownColumn<Row> {
  readonly title: string;
  readonly column: Column<Row>;
}

const GAP = "  ";
const TIME_DECIMALS = 4;
const DURATION_DECIMALS = 3;
/** A column is at least this much wider than its header. */
const HEADER_MARGIN = 2;

/**
 * Renders rows as aligned text without a newline at the end.
 *
 * The layout is that of the older implementations' API, to the byte: columns as wide as their longest cell and at
 * least two wider than the header, which is aligned as its column; no trailing spaces; an empty table is its
 * header, all left.
 */
export function renderText<Row>(
  shown: readonly ShownColumn<Row>[],
  rows: readonly Row[],
  { header = true }: { readonly header?: boolean } = {},
): string {
  const cells = rows.map((row) => shown.map(({ column }) => formatCell(column, row)));
  const layout = shown.map(({ title, column }, index) => ({
    width: cells.reduce(
      (width, line) => Math.max(width, line[index]?.length ?? 0),
      header ? title.length + HEADER_MARGIN : 0,
    ),
    isRight: column.kind !== "text" && rows.length > 0,
  }));
  return [...(header ? [shown.map(({ title }) => title)] : []), ...cells]
    .map((line) =>
      layout
        .map(({ width, isRight }, index) => {
          const cell = line[index] ?? "";
          return isRight ? cell.padStart(width) : cell.padEnd(width);
        })
        .join(GAP)
        .trimEnd(),
    )
    .join("\n");
}

/** Renders rows as a JSON array of objects; numbers stay numbers, but for integers beyond 2^53, which are texts. */
export function renderJson<Row>(shown: readonly ShownColumn<Row>[], rows: readonly Row[]): string {
  return JSON.stringify(
    rows.map((row) =>
      Object.fromEntries(shown.map(({ title, column }) => [title, toJson(column.value(row))])),
    ),
  );
}

/** Renders what there is to know of columns: as text one a line with name, aliases and description, or as JSON. */
export function renderHelp<Row>(
  columns: readonly Column<Row>[],
  { isJson }: { readonly isJson: boolean },
): string {
  if (isJson)
    return JSON.stringify(columns.map(({ name, aliases, description }) => ({ name, aliases, description })));
  const names = alignLeft(columns.map(({ name }) => name));
  const aliases = alignLeft(columns.map((column) => column.aliases.join(",")));
  return columns
    .map(({ description }, index) => `${names[index]} | ${aliases[index]} | ${description}`)
    .join("\n");
}

/** Compares two cells: numbers and times by their value, texts by their characters, what is missing last. */
export function compareCells(left: Cell, right: Cell): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  return left < right ? -1 : left > right ? 1 : 0;
}

function alignLeft(texts: readonly string[]): readonly string[] {
  const width = Math.max(...texts.map((text) => text.length));
  return texts.map((text) => text.padEnd(width));
}

function formatCell<Row>({ kind, value }: Column<Row>, row: Row): string {
  const cell = value(row);
  if (cell === null) return "-";
  if (kind === "time") return Number(cell).toFixed(TIME_DECIMALS);
  if (kind === "duration") return Number(cell).toFixed(DURATION_DECIMALS);
  return printable(String(cell));
}

function toJson(cell: Cell): string | number | null {
  if (typeof cell !== "bigint") return cell;
  return cell > Number.MAX_SAFE_INTEGER ? String(cell) : Number(cell);
}
