import { Delivery, DeliveryError } from "./delivery.ts";
import { renderBlockPage } from "./block_page.ts";
import { MAINNET_URLS } from "./ethereum/mainnet.ts";
import { readHead, watchHead } from "./ethereum/watch.ts";
import { FailureRun } from "./failure_run.ts";
import type { Log } from "./log.ts";
import { createClientMetrics, type ClientMetrics, type DeliveryOutcome } from "./metrics.ts";
import { startMonitor } from "./monitor.ts";
import { OperationalError } from "./operational_error.ts";
import { Outbox } from "./outbox.ts";
import { createBackoff, sleep } from "./retry.ts";
import type { ClientSettings } from "./settings.ts";

/** What a client works with. */
export interface ClientOptions {
  readonly settings: Pick<
    ClientSettings,
    "host" | "port" | "ack" | "rpcUrls" | "rpcTimeoutMs" | "intervalMs"
  > &
    Partial<Pick<ClientSettings, "metricsHost" | "metricsPort">>;
  readonly log: Log;
  /** Ends the client. */
  readonly signal: AbortSignal;
}

interface Seen {
  readonly blockNumber: bigint;
  /** Monotonic time at which it was seen, in milliseconds. */
  readonly seenAtMs: number;
}

const ONCE_ATTEMPTS = 3;

/**
 * Runs a client until it is stopped: each new block is rendered and delivered.
 *
 * A page that cannot be delivered is tried again until it is, or until a newer block replaces it.
 */
export async function runClient(options: ClientOptions): Promise<void> {
  const { settings, log, signal } = options;
  // Room for one: a block that was not delivered is of no interest once there is a newer one.
  const outbox = new Outbox<Seen>({ capacity: 1 });
  const metrics = createClientMetrics();
  await using _monitor = openMonitor(options, metrics);
  const watch = async () => {
    const onSilence = () => {
      if (settings.rpcUrls.join() === MAINNET_URLS.join())
        log.info('Without internet, "bun run demo" shows the whole with a chain of its own');
    };
    const onRpcError = metrics.observeRpcError;
    const heads = watchHead({ ...settings, urls: settings.rpcUrls, onSilence, onRpcError, log, signal });
    for await (const blockNumber of heads) {
      log.debug(`Saw block ${blockNumber}`);
      metrics.observeHead(blockNumber);
      outbox.push({ blockNumber, seenAtMs: performance.now() });
    }
    outbox.close();
  };
  log.info(`Watching ${settings.rpcUrls.map((url) => new URL(url).host).join(", ")}`);
  await Promise.all([watch(), deliverAll(outbox, { ...options, metrics })]);
  log.info("Stopped");
}

/**
 * Delivers the current block and returns.
 *
 * @throws {OperationalError} when it could not
 */
export async function runClientOnce({ settings, log, signal }: ClientOptions): Promise<void> {
  const blockNumber = await readHead({ ...settings, urls: settings.rpcUrls, log, signal });
  if (blockNumber === undefined)
    throw new OperationalError("Cannot send the current block: no endpoint tells it");
  const delivery = new Delivery(settings);
  const backoff = createBackoff();
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      log.info(
        describeDelivery(blockNumber, await delivery.deliver(renderBlockPage(blockNumber), { signal })),
      );
      return;
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error;
      if (attempt === ONCE_ATTEMPTS)
        throw new OperationalError(`Cannot send block ${blockNumber}: ${error.message}`);
    }
    await sleep(backoff.next(), signal);
  }
  throw new OperationalError(`Cannot send block ${blockNumber}: stopped before it was delivered`);
}

function openMonitor({ settings, log }: ClientOptions, metrics: ClientMetrics) {
  const { metricsHost: host = "localhost", metricsPort: port } = settings;
  if (port === undefined) return null;
  const check = async () => {
    if (!metrics.hasHead) throw new Error("no endpoint has told a block yet");
  };
  return startMonitor({ host, port, metrics, check, log });
}

async function deliverAll(
  outbox: Outbox<Seen>,
  { settings, log, signal, metrics }: ClientOptions & { readonly metrics: ClientMetrics },
): Promise<void> {
  const delivery = new Delivery(settings);
  const failures = new FailureRun(log);
  for (let seen; (seen = await outbox.next()) !== undefined;) {
    const { blockNumber, seenAtMs } = seen;
    const observe = (outcome: DeliveryOutcome) =>
      metrics.observeDelivery({ outcome, lagSeconds: (performance.now() - seenAtMs) / 1000 });
    const page = renderBlockPage(blockNumber);
    const backoff = createBackoff();
    while (!signal.aborted) {
      try {
        const outcome = await delivery.deliver(page, { signal });
        observe(outcome);
        failures.recovered("Pages are delivered again");
        log.info(describeDelivery(blockNumber, outcome));
        break;
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error;
        observe("failed");
        if (!signal.aborted) failures.report(error.message);
      }
      await outbox.pause(backoff.next());
      if (outbox.isEmpty) continue;
      observe("dropped");
      log.warn(`Gave up block ${blockNumber} as there is a newer one`);
      break;
    }
  }
}

function describeDelivery(blockNumber: bigint, outcome: "acknowledged" | "sent"): string {
  return outcome === "acknowledged"
    ? `Block ${blockNumber} is delivered and acknowledged`
    : `Block ${blockNumber} is sent; the server does not acknowledge`;
}
