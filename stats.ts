#!/usr/bin/env bun
import { runEntry } from "./lib/lifecycle.ts";
import { aborted } from "./lib/retry.ts";
import { statsFlags } from "./lib/settings/stats.ts";
import { startStats } from "./lib/stats.ts";
import { openReaders } from "./lib/store/open.ts";
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
    await using readers = await openReaders(settings);
    await using _stats = startStats({ settings, ...readers, log });
    await aborted(signal);
  },
);
