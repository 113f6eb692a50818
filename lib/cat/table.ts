/** A column of a table. */
export interface Column<Row> {
  readonly name: string;
  /** Texts stand left, numbers and times right; times are seconds since the epoch. */
  readonly kind: "text" | "number" | "time";
  readonly value: (row: Row) => string | number;
}

const GAP = "  ";
const TIME_DECIMALS = 4;
/** A column is at least this much wider than its header. */
const HEADER_MARGIN = 2;

/**
 * Renders rows as aligned text, a header first, without a newline at the end.
 *
 * The layout is that of the older implementations' API, to the byte: columns as wide as their longest cell and at
 * least two wider than the header, which is aligned as its column; no trailing spaces; an empty table is its
 * header, all left.
 */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => formatCell(column, row)));
  const layout = columns.map(({ name, kind }, index) => ({
    width: cells.reduce(
      (width, line) => Math.max(width, line[index]?.length ?? 0),
      name.length + HEADER_MARGIN,
    ),
    isRight: kind !== "text" && rows.length > 0,
  }));
  return [columns.map(({ name }) => name), ...cells]
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

function formatCell<Row>({ kind, value }: Column<Row>, row: Row): string {
  const cell = value(row);
  return kind === "time" && typeof cell === "number" ? cell.toFixed(TIME_DECIMALS) : String(cell);
}
