import { z } from "zod";
import { nearest } from "../nearest.ts";
import { printable } from "../printable.ts";
import type { HashRow } from "../store/store.ts";
import { badParameter } from "./errors.ts";
import { compareCells, type Column, type ShownColumn } from "./table.ts";

/** What a request's parameters ask of a table. */
export interface View<Row> {
  readonly header: boolean;
  readonly help: boolean;
  readonly columns: readonly ShownColumn<Row>[];
  readonly sort: readonly { readonly column: Column<Row>; readonly isDescending: boolean }[];
  /** Most rows to list; undefined leaves it to the table. */
  readonly size: number | undefined;
  /** Where to go on, see {@linkcode parsePlace} and {@linkcode parseOffset}. */
  readonly before: string | undefined;
}

const MAX_SIZE = 10_000;
const MAX_QUOTED_CHARACTERS = 60;
const FORMATS = ["text", "json"] as const;

const toggle = z
  .enum(["", "true", "false"], { error: "nothing behind it, true or false" })
  .transform((value) => value !== "false");
const names = z
  .string()
  .transform((list) => list.split(",").map((name) => name.trim()))
  .refine((list) => list.every(Boolean), { error: "names of columns, separated by commas" });
const sizeError = `a whole number from 1 to ${MAX_SIZE}`;

const parameters = {
  v: toggle.default(true),
  h: names.optional(),
  s: names.optional(),
  help: toggle.default(false),
  format: z.enum(FORMATS, { error: FORMATS.join(" or ") }).optional(),
  size: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, { error: sizeError })
    .transform(Number)
    .refine((size) => size <= MAX_SIZE, { error: sizeError })
    .optional(),
  before: z.string().optional(),
};
const viewShape = z.object(parameters);
const formatShape = z.object({ format: parameters.format });

/**
 * Reads the parameters of a request for a table.
 *
 * @throws {CatError} that names the first parameter that is wrong and what was expected
 */
export function parseView<Row>(
  query: URLSearchParams,
  { path, columns }: { readonly path: string; readonly columns: readonly Column<Row>[] },
): View<Row> {
  const { v, help, h, s, size, before } = parse(viewShape, query, path);
  return {
    header: v,
    help,
    columns: h ? chooseColumns(h, columns) : columns.map((column) => ({ title: column.name, column })),
    sort: (s ?? []).map((key) => parseSortKey(key, columns)),
    size,
    before,
  };
}

/**
 * Reads the parameters of a request for what is no table: `format` alone, which says how errors look.
 *
 * @throws {CatError} for any other
 */
export function parseFormat(query: URLSearchParams, path: string): "text" | "json" | undefined {
  return parse(formatShape, query, path).format;
}

/** Sorts rows as a view asks; equal rows stay in their order. */
export function sortRows<Row>(rows: readonly Row[], sort: View<Row>["sort"]): readonly Row[] {
  if (sort.length === 0) return rows;
  return rows.toSorted((left, right) => {
    for (const { column, isDescending } of sort) {
      const [a, b] = [column.value(left), column.value(right)];
      const order = compareCells(a, b);
      // What is missing stays last, whatever the direction.
      if (order !== 0) return isDescending && a !== null && b !== null ? -order : order;
    }
    return 0;
  });
}

/** Writes a place in the list of hashes as a cursor: time, colon, hash. */
export function formatPlace({ receivedAtSeconds, hash }: HashRow): string {
  return `${receivedAtSeconds}:${hash}`;
}

/**
 * Reads a place in the list of hashes; a time alone stands for all rows before that time.
 *
 * @throws {CatError} when it is none
 */
export function parsePlace(cursor: string): HashRow {
  const [, time, hash = ""] = /^(\d{1,12}(?:\.\d{1,9})?)(?::([0-9a-f]{64}))?$/.exec(cursor) ?? [];
  if (time === undefined)
    throw badValue("before", cursor, "a time in seconds, or a time, a colon and a hash");
  return { receivedAtSeconds: Number(time), hash };
}

/**
 * Reads the cursor of a list that has no order in time: how many rows came before.
 *
 * @throws {CatError} when it is none
 */
export function parseOffset(cursor: string): number {
  if (/^\d{1,9}$/.test(cursor)) return Number(cursor);
  throw badValue("before", cursor, "the number of rows that came before");
}

function parse<Shape extends z.ZodObject>(
  shape: Shape,
  query: URLSearchParams,
  path: string,
): z.output<Shape> {
  const known = Object.keys(shape.shape);
  for (const name of query.keys()) {
    if (!known.includes(name)) throw badParameter(describeUnknown(name, { known, path }));
    if (query.getAll(name).length > 1) throw badParameter(`Cannot use parameter [${name}] more than once`);
  }
  const parsed = shape.safeParse(Object.fromEntries(query));
  if (parsed.success) return parsed.data;
  const { path: [name = ""] = [], message } = parsed.error.issues[0] ?? {};
  throw badValue(String(name), query.get(String(name)) ?? "", message ?? "another value");
}

function describeUnknown(name: string, { known, path }: { known: readonly string[]; path: string }): string {
  const start = `Cannot answer [${path}] with the unrecognized parameter ${quote(name)}`;
  return `${start}: ${suggest(name, known)}`;
}

function badValue(name: string, value: string, expected: string) {
  const meant = name === "format" ? nearest(value, FORMATS) : undefined;
  return badParameter(
    `Cannot use parameter [${name}] with the value ${quote(value)}: expected ${expected}${meant ? `; did you mean [${meant}]?` : ""}`,
  );
}

function suggest(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return meant ? `did you mean [${meant}]?` : `there are ${known.map((name) => `[${name}]`).join(", ")}`;
}

function quote(text: string): string {
  const shown = printable(text);
  return `[${shown.length <= MAX_QUOTED_CHARACTERS ? shown : `${shown.slice(0, MAX_QUOTED_CHARACTERS)}…`}]`;
}

/** As in Elasticsearch, a column that is asked for by an alias has the alias as its title; none is shown twice. */
function chooseColumns<Row>(wanted: readonly string[], columns: readonly Column<Row>[]): ShownColumn<Row>[] {
  const chosen = new Map<string, ShownColumn<Row>>();
  for (const name of wanted) {
    const matches = name.includes("*")
      ? columns
          .filter((column) => matchesWildcard(column.name, name))
          .map((column) => ({ title: column.name, column }))
      : [{ title: name, column: findColumn(name, columns, "h") }];
    if (matches.length === 0) throw unknownColumn(name, columns, "h");
    for (const match of matches) if (!chosen.has(match.title)) chosen.set(match.title, match);
  }
  return [...chosen.values()];
}

function matchesWildcard(name: string, pattern: string): boolean {
  const [first = "", ...others] = pattern.split("*");
  const last = others.pop() ?? "";
  if (!name.startsWith(first) || !name.slice(first.length).endsWith(last)) return false;
  // Each part is looked for behind the one before it, so that no pattern takes more than one pass.
  let at = first.length;
  for (const part of others) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}

function parseSortKey<Row>(key: string, columns: readonly Column<Row>[]): View<Row>["sort"][number] {
  const [name = "", direction = "asc", ...rest] = key.split(":");
  if ((direction !== "asc" && direction !== "desc") || rest.length > 0)
    throw badValue("s", key, "names of columns, each with :asc or :desc or nothing behind it");
  return { column: findColumn(name, columns, "s"), isDescending: direction === "desc" };
}

function findColumn<Row>(name: string, columns: readonly Column<Row>[], parameter: string): Column<Row> {
  const found = columns.find((column) => column.name === name || column.aliases.includes(name));
  if (!found) throw unknownColumn(name, columns, parameter);
  return found;
}

function unknownColumn<Row>(name: string, columns: readonly Column<Row>[], parameter: string) {
  return badParameter(
    `Cannot use parameter [${parameter}] with the unknown column ${quote(name)}: ${suggest(
      name,
      columns.map((column) => column.name),
    )}`,
  );
}
