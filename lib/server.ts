import { hostname } from "node:os";
import { startHeartbeat } from "./heartbeat.ts";
import { Ingest } from "./ingest.ts";
import type { Log } from "./log.ts";
import { createListenError } from "./listen_error.ts";
import { fitConnections, readOpenFilesLimit, type ConnectionRoom } from "./open_files.ts";
import { createServerMetrics } from "./metrics.ts";
import { startMonitor, type Monitor, type MonitorOptions } from "./monitor.ts";
import { formatAddress } from "./printable.ts";
import { Printer, type Output } from "./printer.ts";
import { sleep } from "./retry.ts";
import type { ServerSettings } from "./settings/server.ts";
import { ServerCounts } from "./server_counts.ts";
import type { Reader, StatsStore, Store } from "./store/store.ts";
import { VERSION } from "./version.ts";
import type { Message } from "./wire/connection.ts";
import { startListener, type Listener, type ListenTls } from "./wire/listen.ts";
import { refuse, type Reply } from "./wire/reply.ts";

/** Options of {@linkcode startServer}. */
export interface ServerOptions {
  readonly settings: Pick<
    ServerSettings,
    | "host"
    | "port"
    | "maxPayloadBytes"
    | "maxConnections"
    | "maxConnectionsPerIp"
    | "messageTimeoutMs"
    | "idleTimeoutMs"
  > &
    Partial<Pick<ServerSettings, "maxBytesInFlight" | "proxyTrust" | "metricsHost" | "metricsPort">>;
  /** Encrypts connections. @default {they are plain} */
  readonly tls?: ListenTls | undefined;
  /** Where messages are stored; the caller closes it after the server has stopped. */
  readonly store?: Store | undefined;
  /** Where messages are printed. */
  readonly output: Output;
  readonly log: Log;
}

/** Options of {@linkcode Server.stop}. */
export interface StopOptions {
  /** Longest time to finish what has arrived, in milliseconds. */
  readonly timeoutMs: number;
  /** Time in milliseconds to go on before that, while balancers learn that the server stops. @default {0} */
  readonly delayMs?: number;
}

/** How long a server that stops waits for somebody to read what it prints. */
const OUTPUT_PATIENCE_MS = 2000;

/** A running server. */
export interface Server {
  readonly port: number;
  /** Where metrics are answered, if they are. */
  readonly metricsPort: number | undefined;
  /** Goes on for a time, then stops accepting, stores and answers what has arrived, and closes, within a time. */
  stop(options: StopOptions): Promise<void>;
}

/**
 * Starts a server: what arrives is checked, printed, stored and then acknowledged.
 *
 * @throws {OperationalError} when the address cannot be listened on
 */
export function startServer({ settings, tls, store, output, log }: ServerOptions): Server {
  const counts = new ServerCounts();
  const read = () => ({ ...counts.read(store), ...listener.counts, connections: listener.connectionCount });
  const metrics = createServerMetrics(read);
  const printer = new Printer({ output, log });
  const ingest = new Ingest({
    store,
    printer,
    log,
    onBatch: (batch) => metrics.observeBatch(batch),
  });
  let isStopping = false;
  const listener = listen({
    ...settings,
    ...fitToOpenFiles(settings, log),
    inFlight: { maxBytes: settings.maxBytesInFlight },
    tls,
    trustedProxies: settings.proxyTrust,
    log,
    onReply: (reply) => counts.countReply(reply),
    onMessage: (message) => {
      counts.countMessage(message.payload.length);
      // The empty message is what balancers check a server with.
      if (message.payload.length > 0) return receive(message, ingest);
      return isStopping
        ? refuse("unavailable", "Cannot take more as the server is about to stop")
        : refuse("empty", "Cannot store an empty message");
    },
  });
  const stopping = new AsyncDisposableStack();
  const check = async () => {
    if (isStopping) throw new Error("The server is about to stop");
    if (isChecked(store)) await store.check();
  };
  const monitor = openMonitor(settings, { metrics, check, log });
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
    async stop({ timeoutMs, delayMs = 0 }) {
      isStopping = true;
      if (delayMs > 0) {
        log.info(`Stopping in ${delayMs / 1000} s`);
        await sleep(delayMs);
      }
      log.info("Stopping: finishing what has arrived");
      const patience = setTimeout(() => printer.giveUp(), Math.min(OUTPUT_PATIENCE_MS, timeoutMs));
      const cut = await listener.drain({ timeoutMs });
      if (cut > 0) log.warn(`Cut ${cut} connections that were not done within ${timeoutMs / 1000} s`);
      await ingest.settled();
      clearTimeout(patience);
      await stopping.disposeAsync();
      log.info("Stopped");
    },
  };
}

// Keeps the byte order mark: the payload must hash to the same when it is read back.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function receive({ payload, peer }: Message, ingest: Ingest): Reply | Promise<Reply> {
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

function fitToOpenFiles({ maxConnections }: ServerOptions["settings"], log: Log): ConnectionRoom {
  const limit = readOpenFilesLimit();
  const room = fitConnections(maxConnections, limit);
  if (room.maxConnections < maxConnections)
    log.warn(
      `Taking ${room.maxConnections} connections at a time instead of ${maxConnections}, as "ulimit -n" allows ${limit} open files`,
    );
  return room;
}

function openMonitor(
  { metricsHost = "localhost", metricsPort: port }: ServerOptions["settings"],
  options: Pick<MonitorOptions, "metrics" | "check" | "log">,
): Monitor | undefined {
  return port === undefined ? undefined : startMonitor({ ...options, host: metricsHost, port });
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
