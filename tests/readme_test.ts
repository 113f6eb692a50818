import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Flags } from "../lib/flags.ts";
import { clientFlags } from "../lib/settings/client.ts";
import { serverFlags } from "../lib/settings/server.ts";
import { statsFlags } from "../lib/settings/stats.ts";
import { ROOT } from "./support/program.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");

const ENTRIES: Readonly<Record<string, Flags>> = {
  CLIENT: clientFlags,
  SERVER: serverFlags,
  STATS: statsFlags,
};

/** Rows of the tables: a flag that several entries share stands there once, with the variable for all of them. */
function expectedRows(): string[] {
  const all = Object.values(ENTRIES).flatMap((flags) => Object.values(flags));
  const rows = Object.entries(ENTRIES).flatMap(([entry, flags]) =>
    Object.values(flags).map((flag) => {
      const isShared = all.filter((other) => other === flag).length > 1;
      const variable = `${isShared ? "" : `${entry}_`}${flag.flag.toUpperCase().replaceAll("-", "_")}`;
      return `--${flag.flag} ETH_${variable} ${flag.sharedEnv ?? ""}`.trimEnd();
    }),
  );
  return [...new Set(rows)].toSorted();
}

describe("README", () => {
  test("lists each flag with its variables, and none that is not there", () => {
    const rows = readme.matchAll(
      /^\| `(--[a-z-]+)[^|]*?(?:\\\|[^|]*?)*\| `(ETH_[A-Z_]+)`(?:, `([A-Z_]+)`)? *\|/gm,
    );
    const listed = [...rows].map(([, ...cells]) => cells.filter((cell) => cell).join(" "));
    expect(listed.length).toBeGreaterThan(20);
    expect(listed.toSorted()).toEqual(expectedRows());
  });

  test("lists each file of lib and schema, and none that is not there", () => {
    const files = ["lib", "schema"].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => `${folder}/${name}`),
    );
    const listed = [...readme.matchAll(/^((?:lib|schema)\/\S+\.ts) {2}/gm)].map(([, file = ""]) => file);
    expect(files.length).toBeGreaterThan(20);
    expect(listed.toSorted()).toEqual(files.toSorted());
  });
});
