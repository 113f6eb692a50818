import { connect, ConnectionError } from "./wire/connect.ts";
import { formatAddress } from "./printable.ts";

/** When a page counts as delivered, see `--ack`. */
export type AckMode = "auto" | "required" | "off";

/** A page that the server is not known to have; the message is a sentence. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  readonly code = "delivery";
}

/** Options of {@linkcode Delivery}. */
export interface DeliveryOptions {
  readonly host: string;
  readonly port: number;
  readonly ack: AckMode;
}

/**
 * Delivers pages to a server, each over a new connection.
 *
 * Invariant: with `required`, and with `auto` once the server has acknowledged, a page counts as delivered only
 * when the server has answered `ok` with the page's own hash.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  #hasAcknowledged = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /**
   * Delivers a page; resolves to how sure it is that the server has it.
   *
   * @throws {DeliveryError} when the server may not have it
   */
  async deliver(
    page: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<"acknowledged" | "sent"> {
    const { host, port, ack } = this.#options;
    const server = `The server ${formatAddress({ ip: host, port })}`;
    try {
      using connection = await connect({ host, port, signal });
      if (ack === "off") {
        await connection.sendUnanswered(page);
        return "sent";
      }
      const reply = await connection.send(page);
      if (reply) {
        this.#hasAcknowledged = true; // it is one that answers, whatever it says
        if (reply.kind === "error")
          throw new DeliveryError(`${server} refused the page as ${reply.code}: ${reply.reason}`);
        const hash = Bun.SHA256.hash(page, "hex");
        if (reply.hash === hash) return "acknowledged";
        throw new DeliveryError(`${server} acknowledged another page than was sent`);
      }
      if (ack === "auto" && !this.#hasAcknowledged) return "sent";
      throw new DeliveryError(`${server} closed the connection without acknowledging the page`);
    } catch (error) {
      if (error instanceof ConnectionError)
        throw new DeliveryError(`${server} ${error.message}`, { cause: error });
      throw error;
    }
  }
}
