import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** Folders below lib/ that never import one another; what joins two of them stands above both. */
const SIBLINGS = ["cat", "ethereum", "store", "wire"];

/** Where each package may be imported, by the beginning of the path. */
const PACKAGE_HOMES: Readonly<Record<string, readonly string[]>> = {
  citty: ["lib/cli.ts"],
  consola: ["lib/log.ts"],
  uplot: ["lib/cat/dashboard/routes.ts"],
  zod: ["lib/cat/view.ts", "lib/flags.ts", "lib/settings/", "lib/ethereum/"],
  hono: ["lib/cat/"],
  "prom-client": ["lib/metrics.ts"],
  "bun:sqlite": ["lib/store/sqlite_database.ts"],
  "drizzle-orm": ["lib/store/sqlite.ts", "lib/store/spool.ts", "lib/store/mysql", "schema/"],
  mysql2: ["lib/store/mysql.ts"],
  ioredis: ["lib/store/redis.ts"],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".ts")),
  ...["lib", "schema"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  ),
];

// Type-only imports bind no code and are left out.
const imports: Import[] = files.flatMap((from) => {
  const source = readFileSync(join(ROOT, from), "utf8");
  const statements = source.matchAll(/^(?:import|export) (?!type )[^;]*?from "([^"]+)"/gms);
  return [...statements, ...source.matchAll(/\bimport\("([^"]+)"\)/g)].map(([, to = ""]) => ({ from, to }));
});

function resolve({ from, to }: Import): string {
  return to.startsWith(".") ? normalize(join(dirname(from), to)) : to;
}

function packageOf(name: string): string {
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

describe("architecture", () => {
  test("the files and imports are found", () => {
    expect(files).toContain("server.ts");
    expect(files).toContain(join("lib", "wire", "netstring.ts"));
    expect(imports.length).toBeGreaterThan(50);
  });

  test("siblings do not import each other", () => {
    const folderOf = (path: string) => SIBLINGS.find((name) => path.startsWith(`lib/${name}/`));
    const crossing = imports.filter((found) => {
      const [from, to] = [folderOf(found.from), folderOf(resolve(found))];
      return from !== undefined && to !== undefined && from !== to;
    });
    expect(crossing).toEqual([]);
  });

  test("nothing in lib or schema imports an entry or a test", () => {
    const upward = imports.filter(
      (found) => found.from.includes("/") && /^(client|server|stats)\.ts$|^tests\//.test(resolve(found)),
    );
    expect(upward).toEqual([]);
  });

  test("each package is imported in its home only", () => {
    const packages = imports.filter(
      ({ to }) => !to.startsWith(".") && !to.startsWith("node:") && to !== "bun",
    );
    expect(packages.length).toBeGreaterThan(5);
    const homeless = packages.filter(
      ({ from, to }) => !PACKAGE_HOMES[packageOf(to)]?.some((home) => from.startsWith(home)),
    );
    expect(homeless).toEqual([]);
  });

  test("relative imports name the file in full", () => {
    const short = imports.filter(({ to }) => to.startsWith(".") && !/\.(ts|json|css|js|svg)$/.test(to));
    expect(short).toEqual([]);
  });

  test("no file is an index, a barrel or a drawer for anything", () => {
    expect(files.filter((file) => /(index|utils|helpers|types)\.ts$/.test(file))).toEqual([]);
  });
});
