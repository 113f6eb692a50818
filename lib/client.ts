import { Delivery, DeliveryError } from "./delivery.ts";
import { MAINNET_URLS } from "./ethereum/mainnet.ts";
import { renderBlockPage } from "./ethereum/page.ts";
import { readHead, watchHead } from "./ethereum/watch.ts";
import { FailureRun } from "./failure_run.ts";
import type { Log } from "./log.ts";
import { OperationalError } from "./operational_error.ts";
import { Outbox } from "./outbox.ts";
import { createBackoff, sleep } from "./retry.ts";
import type { ClientSettings } from "./settings.ts";

/** What a client works with. */
export interface ClientOptions {
  readonly settings: Pick<
    ClientSettings,
    "host" | "port" | "ack" | "rpcUrls" | "rpcTimeoutMs" | "intervalMs"
  >;
  readonly log: Log;
  /** Ends the client. */
  readonly signal: AbortSignal;
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
  const outbox = new Outbox<bigint>({ capacity: 1 });
  const watch = async () => {
    const onSilence = () => {
      if (settings.rpcUrls.join() === MAINNET_URLS.join())
        log.info('Without internet, "bun run demo" shows the whole with a chain of its own');
    };
    const heads = watchHead({ ...settings, urls: settings.rpcUrls, onSilence, log, signal });
    for await (const blockNumber of heads) {
      log.debug(`Saw block ${blockNumber}`);
      outbox.push(blockNumber);
    }
    outbox.close();
  };
  log.info(`Watching ${settings.rpcUrls.map((url) => new URL(url).host).join(", ")}`);
  await Promise.all([watch(), deliverAll(outbox, options)]);
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

async function deliverAll(outbox: Outbox<bigint>, { settings, log, signal }: ClientOptions): Promise<void> {
  const delivery = new Delivery(settings);
  const failures = new FailureRun(log);
  for (let blockNumber; (blockNumber = await outbox.next()) !== undefined;) {
    const page = renderBlockPage(blockNumber);
    const backoff = createBackoff();
    while (!signal.aborted) {
      try {
        const outcome = await delivery.deliver(page, { signal });
        failures.recovered("Pages are delivered again");
        log.info(describeDelivery(blockNumber, outcome));
        break;
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error;
        if (!signal.aborted) failures.report(error.message);
      }
      await outbox.pause(backoff.next());
      if (outbox.isEmpty) continue;
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
