import { Backlog } from "./backlog.ts";
import { deliverAll, DeliveryError, type DeliveryOptions } from "./delivery.ts";
import { MAINNET_URLS } from "./ethereum/mainnet.ts";
import { readHead, watchHeads } from "./ethereum/watch.ts";
import type { Log } from "./log.ts";
import { createClientMetrics, type ClientMetrics } from "./metrics.ts";
import { startMonitor, type Monitor } from "./monitor.ts";
import { OperationalError } from "./operational_error.ts";
import { Servers, type Lookup } from "./servers.ts";
import type { ClientSettings } from "./settings/client.ts";
import { openStateFile, type StateFile } from "./state_file.ts";
import { readTlsFiles } from "./tls_files.ts";

/** What a client works with. */
export interface ClientOptions {
  readonly settings: Omit<ClientSettings, "once" | "verbose" | "waitMs" | "logFormat">;
  /** Gives the addresses of a server's name. @default {the system's} */
  readonly lookup?: Lookup;
  readonly log: Log;
  /** Ends the client. */
  readonly signal: AbortSignal;
}

const DEFAULT_HOST = "localhost";
const DEFAULT_PORT = 9999;
const DEFAULT_MAX_GAP = 7200;
const ONCE_ATTEMPTS = 3;

/** Runs a client until it is stopped: each new block is rendered and delivered. */
export async function runClient(options: ClientOptions): Promise<void> {
  const { settings, log, signal } = options;
  await using state = await openState(options);
  const metrics = createClientMetrics();
  await using _monitor = openMonitor(options, metrics);
  const backlog = createBacklog(options, { after: state?.blockNumber, metrics });
  log.info(`Watching ${[...new Set(settings.rpcUrls.map((url) => new URL(url).host))].join(", ")}`);
  const watching = watchHeads({
    ...settings,
    urls: settings.rpcUrls,
    after: state?.blockNumber,
    onHead: (head) => {
      log.debug(`Saw block ${head.number} at ${new Date().toISOString()} through ${head.endpoint}`);
      metrics.observeHead(head.number);
      backlog.add(head);
    },
    onRpcError: metrics.observeRpcError,
    onSilence: () => {
      const them = settings.rpcUrls.length === 1 ? "it" : "them";
      log.error(`No endpoint answers; asking ${them} again and again`);
      if (settings.rpcUrls.join() === MAINNET_URLS.join())
        log.info('Without internet, "bun run demo" shows the whole with a chain of its own');
    },
    log,
    signal,
  }).finally(() => backlog.close());
  const delivery = { ...(await createDelivery(options, state)), onOutcome: metrics.observeDelivery };
  await Promise.all([watching, deliverAll(backlog, delivery)]);
  log.info("Stopped");
}

/**
 * Delivers the current block, and those before it that are to be delivered, and returns.
 *
 * @throws {OperationalError} when it could not
 */
export async function runClientOnce(options: ClientOptions): Promise<void> {
  const { settings, log, signal } = options;
  await using state = await openState(options);
  const delivery = await createDelivery(options, state);
  const number = await readHead({ ...settings, urls: settings.rpcUrls, log, signal });
  if (number === undefined) throw new OperationalError("Cannot send the current block: no endpoint tells it");
  const backlog = createBacklog(options, { after: state?.blockNumber });
  backlog.add({ number, isNewChain: false });
  if (backlog.isEmpty) log.info(`Block ${number} is delivered already, as the state file says`);
  backlog.close();
  try {
    await deliverAll(backlog, { ...delivery, maxFailedRounds: ONCE_ATTEMPTS });
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error;
    throw new OperationalError(`Cannot send block ${number}: ${error.message}`, { cause: error });
  }
  if (!backlog.isEmpty || signal.aborted)
    throw new OperationalError(`Cannot send block ${number}: stopped before it was delivered`);
}

async function openState({ settings, log }: ClientOptions): Promise<StateFile | undefined> {
  return settings.state === undefined ? undefined : openStateFile(settings.state, { log });
}

function openMonitor({ settings, log }: ClientOptions, metrics: ClientMetrics): Monitor | null {
  const { metricsHost: host, metricsPort: port } = settings;
  if (port === undefined) return null;
  const check = async () => {
    if (!metrics.hasHead) throw new Error("no endpoint has told a block yet");
  };
  return startMonitor({ host, port, metrics, check, log });
}

function createBacklog(
  { settings, log }: ClientOptions,
  { after, metrics }: { readonly after: bigint | undefined; readonly metrics?: ClientMetrics },
): Backlog {
  const { emitMissed: isGapless, maxGap = DEFAULT_MAX_GAP } = settings;
  return new Backlog({
    capacity: isGapless ? maxGap + 1 : 1, // the head itself is no gap
    isGapless,
    after,
    onGivenUp: ({ first, last, total, reason }) => {
      metrics?.observeDrop(Number(last - first) + 1);
      const blocks = first === last ? `block ${first}` : `blocks ${first} to ${last}`;
      const reasons = {
        "too-many": `no more than ${maxGap} may wait`,
        newer: "there is a newer one",
        "new-chain": "the chain has begun anew",
      };
      log.warn(`Gave up ${blocks} as ${reasons[reason]} (${total} in all)`);
    },
  });
}

async function createDelivery(
  { settings, lookup, log, signal }: ClientOptions,
  state: StateFile | undefined,
): Promise<DeliveryOptions> {
  const { host, port, servers = [], ack, persistent: isPersistent, ...rest } = settings;
  const isFirstGiven = host !== undefined || port !== undefined || servers.length === 0;
  const first = { host: host ?? DEFAULT_HOST, port: port ?? DEFAULT_PORT };
  return {
    servers: new Servers({
      servers: isFirstGiven ? [first, ...servers] : servers,
      ...(lookup ? { lookup } : {}),
    }),
    ack,
    isPersistent,
    tls: rest.tls ? await readTlsFiles(rest) : undefined,
    onDelivered: (blockNumber) => state?.save(blockNumber),
    log,
    signal,
  };
}
