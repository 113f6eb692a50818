#!/usr/bin/env bun
import { runEntry } from "./lib/lifecycle.ts";
import { openStdout } from "./lib/printer.ts";
import { aborted } from "./lib/retry.ts";
import { startServer } from "./lib/server.ts";
import { readServerTlsFiles } from "./lib/tls_files.ts";
import { checkServerSettings, serverFlags } from "./lib/settings/server.ts";
import { openStore } from "./lib/store/open.ts";
import { VERSION } from "./lib/version.ts";

await runEntry(
  {
    name: "server",
    version: VERSION,
    summary: "Receives block pages, prints them, stores each once and acknowledges it",
    flags: serverFlags,
    examples: [
      "bun server.ts",
      "bun server.ts --use-redis --redis-host cache --use-mysql --mysql-host db --mysql-user eth --mysql-db eth  # and MYSQL_PASS",
    ],
    check: checkServerSettings,
  },
  async ({ settings, log, signal }) => {
    await using store = await openStore({ settings, log, signal });
    if (signal.aborted) return;
    const tls = await readServerTlsFiles(settings);
    const server = startServer({ settings, tls, store, output: openStdout(), log });
    await aborted(signal);
    await server.stop({ delayMs: settings.drainDelayMs, timeoutMs: settings.drainTimeoutMs });
  },
);
