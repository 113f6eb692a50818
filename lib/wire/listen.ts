import type { TCPSocketListener } from "bun";
import { Connection, type ConnectionOptions, type MessageHandler } from "./connection.ts";
import { InFlight, type InFlightLimits } from "./in_flight.ts";
import type { Log } from "../log.ts";
import { refuse } from "./reply.ts";

/** Options of {@linkcode startListener}. */
export interface ListenOptions extends Pick<
  ConnectionOptions,
  "maxPayloadBytes" | "messageTimeoutMs" | "idleTimeoutMs" | "onReply"
> {
  /** Address to listen on; `localhost` is 127.0.0.1, where the peers' clients look for it. */
  readonly host: string;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  readonly maxConnections: number;
  readonly inFlight?: InFlightLimits;
  readonly onMessage: MessageHandler;
  readonly log: Log;
}

/** Connections above the limit that are kept for the moment it takes to tell them so; more are cut. */
const MAX_REFUSED_CONNECTIONS = 256;
const SWEEP_MS = 100;
/** How long connections are still accepted after the stop, for those that the kernel had completed before it. */
const ACCEPT_GRACE_MS = 50;

/**
 * Starts to listen for messages.
 *
 * @throws {Error} when the address cannot be listened on
 */
export function startListener(options: ListenOptions): Listener {
  return new Listener(options);
}

/** Accepts connections and answers their messages until it is disposed. */
export class Listener implements AsyncDisposable {
  readonly #connections = new Set<Connection>();
  readonly #inFlight: InFlight;
  readonly #server: TCPSocketListener<Connection>;
  readonly #sweeper: ReturnType<typeof setInterval>;
  #whenEmpty: (() => void) | undefined;

  constructor({ host, port, maxConnections, inFlight, log, ...connectionOptions }: ListenOptions) {
    this.#inFlight = new InFlight(inFlight);
    const open = (socket: Bun.Socket<Connection>) => {
      const refused = this.#connections.size - maxConnections;
      if (refused >= MAX_REFUSED_CONNECTIONS) return void socket.terminate();
      const refusal =
        refused < 0
          ? undefined
          : refuse("busy", `Cannot take more than ${maxConnections} connections at a time`);
      socket.data = new Connection(socket, {
        ...connectionOptions,
        peer: { ip: plainIp(socket.remoteAddress), port: socket.remotePort },
        inFlight: this.#inFlight,
        ...(refusal ? { refusal } : {}),
      });
      this.#connections.add(socket.data);
    };
    this.#server = Bun.listen<Connection>({
      hostname: host === "localhost" ? "127.0.0.1" : host,
      port,
      allowHalfOpen: true, // a sender that has closed its side still gets its answers
      socket: {
        open,
        data: (socket, piece) => socket.data?.receive(piece),
        end: (socket) => socket.data?.receiveEnd(),
        drain: (socket) => socket.data?.writeOn(),
        // Only a defect of this program gets here: the connection that met it is cut, the others go on.
        error: (socket, error) => {
          log.error(`Cannot go on with a connection: ${error.stack}`);
          socket.terminate();
        },
        close: (socket) => {
          this.#connections.delete(socket.data);
          if (this.#connections.size === 0) this.#whenEmpty?.();
        },
      },
    });
    this.#sweeper = setInterval(() => {
      const now = performance.now();
      for (const connection of this.#connections) connection.check(now);
    }, SWEEP_MS);
  }

  /** Port that is listened on. */
  get port(): number {
    return this.#server.port;
  }

  /** Number of open connections. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Stops accepting, answers what has arrived and closes; connections that are not done in time are cut.
   *
   * Resolves to the number of connections that were cut.
   */
  async drain({ timeoutMs }: { readonly timeoutMs: number }): Promise<number> {
    await Bun.sleep(Math.min(ACCEPT_GRACE_MS, timeoutMs));
    this.#server.stop();
    for (const connection of this.#connections) connection.finish();
    if (this.#connections.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#whenEmpty = resolve;
      const timer = setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
    }
    const cut = this.#connections.size;
    await this[Symbol.asyncDispose]();
    return cut;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweeper);
    this.#server.stop(true);
  }
}

/** An IPv4 peer of a listener on `::` shows as `::ffff:a.b.c.d`. */
function plainIp(ip: string): string {
  return ip.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}
