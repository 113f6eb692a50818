import { readCommandLine } from "../../lib/cli.ts";
import { runClient, type ClientOptions } from "../../lib/client.ts";
import type { Lookup } from "../../lib/servers.ts";
import { clientFlags, type ClientSettings } from "../../lib/settings/client.ts";
import { createRecordingLog, type RecordingLog } from "./recording_log.ts";
import { until } from "./until.ts";

/** A client that runs in the test; disposing it stops it and waits for its end. */
export interface RunningClient extends AsyncDisposable {
  readonly log: RecordingLog;
  /** Resolves once a line of the log holds a text. */
  saw(text: string): Promise<unknown>;
}

/** Options of {@linkcode startClient}. */
export interface RunningClientOptions {
  readonly lookup?: Lookup;
}

/** Gives the settings of a client that is called with no flag, but for some. */
export function createClientSettings(settings: Partial<ClientSettings>): ClientSettings {
  const entry = { name: "client", version: "0", summary: "", examples: [], flags: clientFlags };
  const request = readCommandLine(entry, { argv: [], env: {} });
  if (request.kind !== "run") throw new Error("The defaults are no request to run");
  return { ...request.settings, host: "127.0.0.1", rpcTimeoutMs: 300, intervalMs: 5, ...settings };
}

/** Gives what a client works with, and what stops it. */
export function createClientOptions(settings: Partial<ClientSettings>) {
  const stop = new AbortController();
  const log = createRecordingLog();
  return { settings: createClientSettings(settings), log, signal: stop.signal, stop };
}

/** Starts a client. */
export function startClient(
  settings: Partial<ClientSettings>,
  options: RunningClientOptions = {},
): RunningClient {
  const { stop, log, ...rest } = createClientOptions(settings);
  const clientOptions: ClientOptions = { ...rest, ...options, log };
  const ended = runClient(clientOptions);
  return {
    log,
    saw: (text) =>
      until(() => log.lines.some((line) => line.includes(text)), {
        what: `"${text}" in\n${log.lines.slice(-20).join("\n")}`,
      }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}
