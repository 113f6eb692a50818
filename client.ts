#!/usr/bin/env bun
import { runClient, runClientOnce } from "./lib/client.ts";
import { runEntry } from "./lib/lifecycle.ts";
import { checkClientSettings, clientFlags } from "./lib/settings/client.ts";
import { VERSION } from "./lib/version.ts";

await runEntry(
  {
    name: "client",
    version: VERSION,
    summary: "Watches Ethereum and sends the page of each new block to a server",
    flags: clientFlags,
    check: checkClientSettings,
    examples: [
      "bun client.ts --interval 5",
      "bun client.ts --rpc-url ws://127.0.0.1:8545 --emit-missed --state client.state",
    ],
  },
  ({ settings, log, signal }) =>
    settings.once ? runClientOnce({ settings, log, signal }) : runClient({ settings, log, signal }),
);
