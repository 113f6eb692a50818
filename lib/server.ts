import { Ingest } from "./ingest.ts";
import type { Log } from "./log.ts";
import { createListenError } from "./listen_error.ts";
import { formatAddress } from "./printable.ts";
import { Printer, type Output } from "./printer.ts";
import type { ServerSettings } from "./settings.ts";
import type { Store } from "./store/store.ts";
import type { Message } from "./wire/connection.ts";
import { startListener, type Listener } from "./wire/listen.ts";
import { refuse, type Reply } from "./wire/reply.ts";

/** Options of {@linkcode startServer}. */
export interface ServerOptions {
  readonly settings: Pick<
    ServerSettings,
    "host" | "port" | "maxPayloadBytes" | "maxConnections" | "messageTimeoutMs" | "idleTimeoutMs"
  >;
  /** Where messages are stored; the caller closes it after the server has stopped. */
  readonly store?: Store | undefined;
  /** Where messages are printed. */
  readonly output: Output;
  readonly log: Log;
}

/** A running server. */
export interface Server {
  readonly port: number;
  /** Stops accepting, stores and answers what has arrived, and closes, within a time. */
  stop(options: { readonly timeoutMs: number }): Promise<void>;
}

/**
 * Starts a server: what arrives is checked, printed, stored and then acknowledged.
 *
 * @throws {OperationalError} when the address cannot be listened on
 */
export function startServer({ settings, store, output, log }: ServerOptions): Server {
  const ingest = new Ingest({ store, printer: new Printer({ output, log }), log });
  const listener = listen({ ...settings, log, onMessage: (message) => receive(message, ingest) });
  log.info(
    `Listening on ${formatAddress({ ip: settings.host, port: listener.port })}, ${describeStore(store)}`,
  );
  return {
    port: listener.port,
    async stop({ timeoutMs }) {
      log.info("Stopping: finishing what has arrived");
      const cut = await listener.drain({ timeoutMs });
      if (cut > 0) log.warn(`Cut ${cut} connections that were not done within ${timeoutMs / 1000} s`);
      await ingest.settled();
      log.info("Stopped");
    },
  };
}

// Keeps the byte order mark: the payload must hash to the same when it is read back.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function receive({ payload, peer }: Message, ingest: Ingest): Reply | Promise<Reply> {
  if (payload.length === 0) return refuse("empty", "Cannot store an empty message");
  let text: string;
  try {
    text = utf8.decode(payload);
  } catch {
    return refuse("not-utf8", "Cannot store the message as it is not valid UTF-8");
  }
  return ingest.submit({
    ...peer,
    payload: text,
    hash: Bun.SHA256.hash(payload, "hex"),
    receivedAtSeconds: Date.now() / 1000,
  });
}

function listen(options: Parameters<typeof startListener>[0]): Listener {
  try {
    return startListener(options);
  } catch (error) {
    throw createListenError(options, error);
  }
}

function describeStore(store: Store | undefined): string {
  return store ? `storing in ${store.name}` : "storing nothing";
}
