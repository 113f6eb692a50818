import { hostname } from "node:os";
import { startHeartbeat } from "./heartbeat.ts";
import { Ingest } from "./ingest.ts";
import type { Log } from "./log.ts";
import { createListenError } from "./listen_error.ts";
import { createServerMetrics, type Metrics } from "./metrics.ts";
import { startMonitor } from "./monitor.ts";
import { formatAddress } from "./printable.ts";
import { Printer, type Output } from "./printer.ts";
import type { ServerSettings } from "./settings.ts";
import { ServerCounts } from "./server_counts.ts";
import type { Reader, StatsStore, Store } from "./store/store.ts";
import { VERSION } from "./version.ts";
import type { Message } from "./wire/connection.ts";
import { startListener, type Listener } from "./wire/listen.ts";
import { refuse, type Reply } from "./wire/reply.ts";

/** Options of {@linkcode startServer}. */
export interface ServerOptions {
  readonly settings: Pick<
    ServerSettings,
    "host" | "port" | "maxPayloadBytes" | "maxConnections" | "messageTimeoutMs" | "idleTimeoutMs"
  > &
    Partial<Pick<ServerSettings, "metricsHost" | "metricsPort">>;
  /** Where messages are stored; the caller closes it after the server has stopped. */
  readonly store?: Store | undefined;
  /** Where messages are printed. */
  readonly output: Output;
  readonly log: Log;
}

/** A running server. */
export interface Server {
  readonly port: number;
  /** Where metrics are answered, if they are. */
  readonly metricsPort: number | undefined;
  /** Stops accepting, stores and answers what has arrived, and closes, within a time. */
  stop(options: { readonly timeoutMs: number }): Promise<void>;
}

/**
 * Starts a server: what arrives is checked, printed, stored and then acknowledged.
 *
 * @throws {OperationalError} when the address cannot be listened on
 */
export function startServer({ settings, store, output, log }: ServerOptions): Server {
  const counts = new ServerCounts();
  const read = () => ({ ...counts.read(store), connections: listener.connectionCount });
  const metrics = createServerMetrics(read);
  const ingest = new Ingest({
    store,
    printer: new Printer({ output, log }),
    log,
    onBatch: (batch) => metrics.observeBatch(batch),
  });
  const listener = listen({
    ...settings,
    log,
    onReply: (reply) => counts.countReply(reply),
    onMessage: (message) => {
      counts.countMessage(message.payload.length);
      return receive(message, ingest);
    },
  });
  const stopping = new AsyncDisposableStack();
  const monitor = openMonitor({ settings, metrics, store, log });
  if (monitor) stopping.use(monitor);
  if (isBeaten(store)) {
    const self = {
      host: hostname(),
      port: listener.port,
      pid: process.pid,
      version: VERSION,
      startedAtSeconds: Date.now() / 1000,
    };
    const describe = () => {
      const { connections, received, stored, spooled } = read();
      return { ...self, connections, received, stored, spooled };
    };
    stopping.use(startHeartbeat({ store, describe, log }));
  }
  log.info(
    `Listening on ${formatAddress({ ip: settings.host, port: listener.port })}, ${describeStore(store)}`,
  );
  return {
    port: listener.port,
    metricsPort: monitor?.port,
    async stop({ timeoutMs }) {
      log.info("Stopping: finishing what has arrived");
      const cut = await listener.drain({ timeoutMs });
      if (cut > 0) log.warn(`Cut ${cut} connections that were not done within ${timeoutMs / 1000} s`);
      await ingest.settled();
      await stopping.disposeAsync();
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

function openMonitor({
  settings,
  metrics,
  store,
  log,
}: Omit<ServerOptions, "output"> & { metrics: Metrics }) {
  const { metricsHost = "localhost", metricsPort: port } = settings;
  if (port === undefined) return undefined;
  const check = async () => {
    if (isChecked(store)) await store.check();
  };
  return startMonitor({ host: metricsHost, port, metrics, check, log });
}

function isBeaten(store: Store | undefined): store is Store & Pick<StatsStore, "beat"> {
  return store !== undefined && "beat" in store && store.beat !== undefined;
}

function isChecked(store: Store | undefined): store is Store & Pick<Reader, "check"> {
  return store !== undefined && "check" in store;
}

function describeStore(store: Store | undefined): string {
  return store ? `storing in ${store.name}` : "storing nothing";
}
