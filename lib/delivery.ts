import type { Backlog } from "./backlog.ts";
import { renderBlockPage } from "./block_page.ts";
import { FailureRun } from "./failure_run.ts";
import type { Log } from "./log.ts";
import { createBackoff, sleep } from "./retry.ts";
import type { Route, Servers } from "./servers.ts";
import { connect, ConnectionError, type ClientConnection, type TlsOptions } from "./wire/connect.ts";
import type { Reply } from "./wire/reply.ts";

/** When a page counts as delivered, see `--ack`. */
export type AckMode = "auto" | "required" | "off";

/** A page that no server is known to have; the message is a sentence. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  readonly code = "delivery";
}

/** Options of {@linkcode deliverAll}. */
export interface DeliveryOptions {
  readonly servers: Servers;
  readonly ack: AckMode;
  /** Sends many pages over one connection to a server that answers. @default {false} */
  readonly isPersistent?: boolean;
  readonly tls?: TlsOptions | undefined;
  /** Called for each block that is delivered, in order: all that were to be delivered before it are, too. */
  readonly onDelivered?: (blockNumber: bigint) => void;
  /** Told what became of each block that was sent, and of each try to send any that failed. */
  readonly onOutcome?: (outcome: DeliveryOutcome) => void;
  /** Times in a row that every server may fail. @default {Infinity} */
  readonly maxFailedRounds?: number;
  readonly log: Log;
  /** Ends the delivery. */
  readonly signal: AbortSignal;
}

/** What became of a try to deliver. */
export type DeliveryOutcome =
  { readonly kind: "acknowledged" | "sent"; readonly blockNumber: bigint } | { readonly kind: "failed" };

interface Sent {
  readonly blockNumber: bigint;
  readonly hash: string;
  readonly sentAt: number;
  readonly outcome: Promise<{ readonly reply: Reply | undefined } | { readonly error: unknown }>;
}

/** Pages that may be under way on one connection without an acknowledgement. */
const WINDOW = 64;
const MAX_BACKOFF_MS = 5000;

/**
 * Delivers what waits in a backlog, until that is closed and empty or the signal is aborted.
 *
 * Each block goes to one server: the last that worked, or else the next. What a server has not acknowledged goes back
 * into the backlog and is sent again.
 *
 * Invariant: with `required`, and with `auto` once a server has answered or when the connection is encrypted, a page
 * counts as delivered only when the server has answered `ok` with the page's own hash.
 *
 * @throws {DeliveryError} when every server has failed too often in a row
 */
export async function deliverAll(backlog: Backlog, options: DeliveryOptions): Promise<void> {
  const { servers, log, signal, maxFailedRounds = Infinity } = options;
  const failures = new FailureRun(log);
  const onDelivered = (blockNumber: bigint) => {
    failures.recovered("Pages are delivered again");
    options.onDelivered?.(blockNumber);
  };
  const backoff = createBackoff({ maxMs: MAX_BACKOFF_MS });
  let failedRounds = 0;
  for (;;) {
    while (backlog.isEmpty && !backlog.isClosed && !signal.aborted) await backlog.change();
    if (signal.aborted || backlog.isEmpty) return;
    let lastFailure: DeliveryError | undefined;
    for await (const route of servers.routes()) {
      const session = new Session(route, { ...options, onDelivered });
      const failure = await session.run(backlog);
      if (signal.aborted) return;
      if (failure) options.onOutcome?.({ kind: "failed" });
      // A name's further addresses stand in for the one that failed, which is worth no warning.
      if (failure && (route.isLast || session.delivered > 0)) failures.report(failure.message);
      else if (failure) log.debug(`${failure.message}; trying its next address`);
      lastFailure = failure;
      if (failure && session.delivered === 0) continue;
      lastFailure = undefined;
      backoff.reset();
      failedRounds = 0;
      break;
    }
    if (!lastFailure) continue;
    if (++failedRounds >= maxFailedRounds) throw lastFailure;
    await sleep(backoff.next(), signal);
  }
}

/** One connection to a server. */
class Session {
  /** Number of blocks that were delivered over it. */
  delivered = 0;
  readonly #route: Route;
  readonly #options: DeliveryOptions;
  /** Pages without an answer, the oldest first. */
  readonly #unanswered: Sent[] = [];

  constructor(route: Route, options: DeliveryOptions) {
    this.#route = route;
    this.#options = options;
  }

  /** Delivers what waits, one block or, on a persistent connection, all that will; resolves to what went wrong. */
  async run(backlog: Backlog): Promise<DeliveryError | undefined> {
    const { server, ip: host } = this.#route;
    const { tls, signal } = this.#options;
    try {
      using connection = await connect({
        host,
        port: server.port,
        tls: tls && {
          ...tls,
          serverName: tls.serverName ?? (host === server.host ? undefined : server.host),
        },
        signal,
      });
      do {
        while (connection.isOpen && this.#unanswered.length < this.#window && !backlog.isEmpty)
          this.#send(connection, backlog.take() ?? 0n);
        await this.#answerOrRoom(backlog);
      } while (this.#unanswered.length > 0 || this.#isUseful(connection, backlog));
      return undefined;
    } catch (error) {
      for (const { blockNumber } of this.#unanswered.reverse()) backlog.putBack(blockNumber);
      if (error instanceof DeliveryError) return error;
      if (!(error instanceof ConnectionError)) throw error;
      return new DeliveryError(`The server ${server.name} ${error.message}`, { cause: error });
    }
  }

  #isUseful(connection: ClientConnection, backlog: Backlog): boolean {
    return this.#staysOpen && connection.isOpen && !(backlog.isClosed && backlog.isEmpty);
  }

  /** A server that has not answered yet may be one that reads one message only. */
  get #staysOpen(): boolean {
    return this.#options.isPersistent === true && this.#route.server.answers;
  }

  get #window(): number {
    return this.#staysOpen ? WINDOW : 1;
  }

  #send(connection: ClientConnection, blockNumber: bigint): void {
    const { ack, log } = this.#options;
    const page = renderBlockPage(blockNumber);
    const hash = Bun.SHA256.hash(page, "hex");
    log.debug(`Rendered block ${blockNumber}: ${Buffer.byteLength(page)} bytes, hash ${hash}`);
    const answer =
      ack === "off" ? connection.sendUnanswered(page).then(() => undefined) : connection.send(page);
    const outcome = answer.then(
      (reply) => ({ reply }),
      (error: unknown) => ({ error }),
    );
    this.#unanswered.push({ blockNumber, hash, sentAt: performance.now(), outcome });
    log.debug(`Sent block ${blockNumber} to ${this.#route.server.name} at ${this.#route.ip}`);
  }

  /** Waits for the oldest answer, or until there is another page to send. */
  async #answerOrRoom(backlog: Backlog): Promise<void> {
    const [oldest] = this.#unanswered;
    if (!oldest) return this.#staysOpen ? backlog.change() : undefined;
    const room = this.#unanswered.length < this.#window ? [backlog.change()] : [];
    const outcome = await Promise.race([oldest.outcome, ...room]);
    if (!outcome) return;
    if ("error" in outcome) throw outcome.error;
    const verdict = this.#judge(outcome.reply, oldest.hash);
    this.#unanswered.shift();
    this.delivered++;
    this.#tell(oldest, verdict);
  }

  #judge(reply: Reply | undefined, hash: string): "acknowledged" | "sent" {
    const { ack, tls, servers } = this.#options;
    const { server } = this.#route;
    const isSilenceEnough = ack === "off" || (ack === "auto" && !server.answers && !tls);
    if (reply) server.answers = true; // it is one that answers, whatever it says
    if (reply?.kind === "error")
      throw new DeliveryError(`The server ${server.name} refused the page as ${reply.code}: ${reply.reason}`);
    if (reply && reply.hash !== hash)
      throw new DeliveryError(`The server ${server.name} acknowledged another page than was sent`);
    if (!reply && !isSilenceEnough)
      throw new DeliveryError(
        `The server ${server.name} closed the connection without acknowledging the page`,
      );
    servers.prefer(this.#route);
    return reply ? "acknowledged" : "sent";
  }

  #tell({ blockNumber, sentAt }: Sent, verdict: "acknowledged" | "sent"): void {
    const { log, onDelivered, onOutcome } = this.#options;
    onOutcome?.({ kind: verdict, blockNumber });
    const { name } = this.#route.server;
    log.info(
      verdict === "sent"
        ? `Block ${blockNumber} is sent to ${name}, which does not acknowledge`
        : `Block ${blockNumber} is delivered and acknowledged by ${name} after ${(performance.now() - sentAt).toFixed(1)} ms`,
    );
    onDelivered?.(blockNumber);
  }
}
