import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Flags } from "../lib/flags.ts";
import { clientFlags, commonFlags, serverFlags, statsFlags } from "../lib/settings.ts";
import { ROOT } from "./support/program.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");

const ENTRIES: readonly (readonly [name: string, flags: Flags])[] = [
  ["client", clientFlags],
  ["server", serverFlags],
  ["stats", statsFlags],
];

describe("README", () => {
  test.each(ENTRIES)("lists each flag of the %s with its variable and no other", (entry, flags) => {
    const common: readonly object[] = Object.values(commonFlags);
    const expected = Object.values(flags).map((flag) => {
      const prefix = common.includes(flag) ? "ETH_" : `ETH_${entry.toUpperCase()}_`;
      return `--${flag.flag} ${prefix}${flag.flag.toUpperCase().replaceAll("-", "_")}`;
    });
    const listed = [...readme.matchAll(/^\| `(--[a-z-]+).*?\| `(ETH_[A-Z_]+)`/gm)]
      .map(([, flag, variable]) => `${flag} ${variable}`)
      .filter(
        (row) => !/ETH_(CLIENT|SERVER|STATS)_/.test(row) || row.includes(`ETH_${entry.toUpperCase()}_`),
      );
    expect(expected.length).toBeGreaterThan(4);
    expect(listed.toSorted()).toEqual(expected.toSorted());
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
