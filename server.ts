#!/usr/bin/env bun
import { aborted, runEntry } from "./lib/lifecycle.ts";
import { openStdout } from "./lib/printer.ts";
import { startServer } from "./lib/server.ts";
import { serverFlags } from "./lib/settings.ts";
import { openSqliteStore } from "./lib/store/sqlite.ts";
import { VERSION } from "./lib/version.ts";

await runEntry(
  {
    name: "server",
    version: VERSION,
    summary: "Receives block pages, prints them, stores each once and acknowledges it",
    flags: serverFlags,
    examples: ["bun server.ts", "bun server.ts --host 0.0.0.0 --port 8888 --sqlite /var/lib/eth/eth.db"],
  },
  async ({ settings, log, signal }) => {
    await using store = settings.noStore ? undefined : openSqliteStore({ file: settings.sqlite });
    const server = startServer({ settings, store, output: openStdout(), log });
    await aborted(signal);
    await server.stop({ timeoutMs: settings.drainTimeoutMs });
  },
);
