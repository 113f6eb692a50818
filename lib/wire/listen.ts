import type { TCPSocketListener } from "bun";
import type { Log } from "../log.ts";
import { OccasionalLog } from "../occasional_log.ts";
import { Entrance, type EntranceOptions, type ServerSocket } from "./entrance.ts";
import type { ListenerCounts } from "./limits.ts";
import type { Session } from "./session.ts";

/** How a listener encrypts; contents of PEM files. */
export interface ListenTls {
  readonly cert: string;
  readonly key: string;
  /** Authorities that each client's certificate must come from. @default {clients need no certificate} */
  readonly clientCa?: string | undefined;
}

/** Options of {@linkcode startListener}. */
export interface ListenOptions extends EntranceOptions {
  /** Address to listen on; `localhost` is 127.0.0.1, where the peers' clients look for it. */
  readonly host: string;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  readonly tls?: ListenTls | undefined;
  readonly log: Log;
}

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
  readonly #entrance: Entrance;
  readonly #sockets = new Set<ServerSocket>();
  readonly #log: OccasionalLog;
  readonly #server: TCPSocketListener<Session | undefined>;
  readonly #sweeper: ReturnType<typeof setInterval>;
  #whenEmpty: (() => void) | undefined;

  constructor({ host, port, tls, log, ...options }: ListenOptions) {
    this.#log = new OccasionalLog({ log });
    const encryption = tls ? (tls.clientCa === undefined ? "tls" : "mutual-tls") : "none";
    const entrance = new Entrance(options, { encryption, log: this.#log });
    this.#entrance = entrance;
    this.#server = Bun.listen<Session | undefined>({
      hostname: host === "localhost" ? "127.0.0.1" : host,
      port,
      allowHalfOpen: true, // a sender that has closed its side still gets its answers
      ...(tls ? { tls: completeTls(tls) } : {}),
      socket: {
        open: (socket) => {
          this.#sockets.add(socket);
          entrance.open(socket);
        },
        handshake: (socket, isDone, error) => entrance.shakeHands(socket, { isDone, error }),
        data: (socket, piece) => socket.data?.receive(piece),
        end: (socket) => socket.data?.receiveEnd(),
        drain: (socket) => socket.data?.writeOn(),
        // Only a defect of this program gets here: the connection that met it is cut, the others go on.
        error: (socket, error) => {
          log.error(`Cannot go on with a connection: ${error.stack}`);
          socket.terminate();
        },
        close: (socket) => {
          entrance.close(socket);
          this.#sockets.delete(socket);
          if (this.#sockets.size === 0) this.#whenEmpty?.();
        },
      },
    });
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** Port that is listened on. */
  get port(): number {
    return this.#server.port;
  }

  /** Number of open connections. */
  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** What was counted so far. */
  get counts(): ListenerCounts {
    return this.#entrance.counts;
  }

  /**
   * Stops accepting, answers what has arrived and closes; connections that are not done in time are cut.
   *
   * Resolves to the number of connections that were cut.
   */
  async drain({ timeoutMs }: { readonly timeoutMs: number }): Promise<number> {
    await Bun.sleep(Math.min(ACCEPT_GRACE_MS, timeoutMs));
    this.#server.stop();
    this.#entrance.isClosing = true;
    for (const { data } of this.#sockets) data?.finish();
    if (this.#sockets.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#whenEmpty = resolve;
      const timer = setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
    }
    const cut = this.#sockets.size;
    // By a reset, as the end of a connection without an answer tells an older client that all is well.
    for (const { data } of this.#sockets) data?.cut();
    await this[Symbol.asyncDispose]();
    return cut;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweeper);
    this.#server.stop(true);
  }

  #sweep(): void {
    const now = performance.now();
    for (const { data } of this.#sockets) data?.check(now);
    this.#log.flush(now);
  }
}

function completeTls({ cert, key, clientCa }: ListenTls): Bun.TLSOptions {
  const mutual = { ca: clientCa ?? "", requestCert: true, rejectUnauthorized: true };
  return { cert, key, ...(clientCa === undefined ? {} : mutual) };
}
