import type { Socket } from "bun";
import { FIRST_BYTE_MS, type Peer } from "./connection.ts";
import type { Limit } from "./limits.ts";
import { ProxyHeaderError, type ProxyHeader, type ProxyHeaderParser } from "./proxy_header.ts";
import type { Session } from "./session.ts";

/** Options of {@linkcode Arrival}. */
export interface ArrivalOptions {
  readonly peer: Peer;
  /** Reads the header of a balancer; without it, a TLS handshake is waited for. */
  readonly parser?: ProxyHeaderParser | undefined;
  /** Longest time until the connection is one. */
  readonly timeoutMs: number;
  /** Told the header, after which the connection is someone else's. */
  readonly onHeader: (header: ProxyHeader | ProxyHeaderError) => void;
  /** Told the limit at which the connection ends, and a sentence about it. */
  readonly onLimit: (limit: Limit, sentence: string) => void;
}

/** A connection before its first message, while the TLS handshake or the header of a balancer is under way. */
export class Arrival implements Session {
  readonly #socket: Socket<unknown>;
  readonly #options: ArrivalOptions;
  readonly #startedAt = performance.now();
  #finishedAt: number | undefined;

  constructor(socket: Socket<unknown>, options: ArrivalOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Where the connection comes from, as far as is known. */
  get peer(): Peer {
    return this.#options.peer;
  }

  receive(piece: Uint8Array): void {
    const { parser, onHeader } = this.#options;
    try {
      const header = parser?.push(piece);
      if (header) onHeader(header);
    } catch (error) {
      if (!(error instanceof ProxyHeaderError)) throw error;
      onHeader(error);
    }
  }

  receiveEnd(): void {
    this.#socket.end();
  }

  writeOn(): void {}

  /** Leaves it a little time to become a connection, which is then told to finish, too. */
  finish(): void {
    this.#finishedAt ??= performance.now();
  }

  check(now: number): void {
    const { parser, timeoutMs, onLimit } = this.#options;
    if (now - (this.#finishedAt ?? now) > FIRST_BYTE_MS) this.#socket.end();
    if (now - this.#startedAt <= timeoutMs) return;
    const awaited = parser ? "PROXY header" : "TLS handshake";
    onLimit(parser ? "proxy-header" : "tls", `as its ${awaited} took longer than ${timeoutMs / 1000} s`);
    this.#socket.terminate();
  }

  cut(): void {
    this.#socket.terminate();
  }

  closed(): void {}
}
