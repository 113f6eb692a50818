#!/usr/bin/env bun
import { aborted, runEntry } from "./lib/lifecycle.ts";
import { statsFlags } from "./lib/settings.ts";
import { startStats } from "./lib/stats.ts";
import { SqliteFile } from "./lib/store/sqlite_file.ts";
import { VERSION } from "./lib/version.ts";

await runEntry(
  {
    name: "stats",
    version: VERSION,
    summary: "Shows over HTTP what the servers have stored",
    flags: statsFlags,
    examples: ["bun stats.ts", "bun stats.ts --port 8080 --sqlite /var/lib/eth/eth.db"],
  },
  async ({ settings, log, signal }) => {
    await using store = new SqliteFile({ file: settings.sqlite });
    await using _stats = startStats({ settings, pages: store, stats: store, log });
    await aborted(signal);
  },
);
