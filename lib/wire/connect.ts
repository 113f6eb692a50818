import type { Socket } from "bun";
import { describeNetworkError } from "../network_error.ts";
import { encodeNetstring, NetstringDecoder } from "./netstring.ts";
import { MAX_REPLY_BYTES, parseReply, type Reply } from "./reply.ts";

/** A connection that could not be made or did not hold; the message reads on after the server's address. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code = "connection";
}

/** How a connection is encrypted; contents of PEM files. */
export interface TlsOptions {
  /** Authorities that the server's certificate must come from. @default {those of the system} */
  readonly ca?: string | undefined;
  /** Certificate and key to show to the server. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Name that the server's certificate must bear. @default {the host} */
  readonly serverName?: string | undefined;
}

/** Options of {@linkcode connect}. */
export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** Encrypts the connection. @default {a plain one} */
  readonly tls?: TlsOptions | undefined;
  /** Cuts the connection, at whatever point it is. */
  readonly signal?: AbortSignal | undefined;
  /** Longest time to get a connection. @default {5000} */
  readonly connectTimeoutMs?: number;
  /** Longest time to hand a message to the network. @default {10_000} */
  readonly sendTimeoutMs?: number;
  /** Longest time from then to the answer. @default {15_000} */
  readonly replyTimeoutMs?: number;
}

interface Waiting {
  readonly resolve: (reply: Reply | undefined) => void;
  readonly reject: (error: ConnectionError) => void;
  timer?: ReturnType<typeof setTimeout>;
}

/**
 * Connects to a server.
 *
 * @throws {ConnectionError} when there is no connection in time
 */
export async function connect(options: ConnectOptions): Promise<ClientConnection> {
  const { host, port, tls, connectTimeoutMs = 5000, signal } = options;
  const connection = new ClientConnection(options);
  const deadline = Promise.withResolvers<never>();
  const giveUp = (reason: string) => () => deadline.reject(new ConnectionError(reason));
  const timer = setTimeout(giveUp(`cannot be reached within ${connectTimeoutMs / 1000} s`), connectTimeoutMs);
  const stop = giveUp("is left alone, as this program stops");
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  const connecting = Bun.connect<undefined>({
    hostname: host,
    port,
    allowHalfOpen: true,
    socket: connection.handlers,
    ...(tls ? { tls: completeTls(tls) } : {}),
  });
  try {
    await Promise.race([connecting.then(() => connection.ready), deadline.promise]);
    return connection;
  } catch (error) {
    // A connection that comes too late is not left open; one that fails has said so already.
    connection[Symbol.dispose]();
    void connecting.then((socket) => socket.terminate()).catch(() => {});
    if (error instanceof ConnectionError) throw error;
    throw new ConnectionError(`cannot be reached: ${describeNetworkError(error)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** Bun tells an option that is undefined from one that is absent, and takes no option at all for no TLS. */
function completeTls(tls: TlsOptions): Bun.TLSOptions {
  const given = Object.entries(tls).filter(([, value]) => value !== undefined);
  return { rejectUnauthorized: true, ...Object.fromEntries(given) };
}

/** The client's side of one connection: messages out, answers in, in the same order. */
export class ClientConnection implements Disposable {
  /** What the socket calls. */
  readonly handlers: Bun.SocketHandler<undefined>;
  /** Resolves once messages can be sent: with TLS, when the server is known to be the right one. */
  readonly ready: Promise<void>;
  readonly #sendTimeoutMs: number;
  readonly #replyTimeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #decoder = new NetstringDecoder({ maxPayloadBytes: MAX_REPLY_BYTES });
  #socket: Socket<undefined> | undefined;
  #unwritten: Uint8Array = new Uint8Array(0);
  #whenWritten: (() => void)[] = [];
  /** Messages without an answer, the oldest first. */
  #waiting: Waiting[] = [];
  #failure: ConnectionError | undefined;
  readonly #whenFailed: (error: ConnectionError) => void;

  constructor({ sendTimeoutMs = 10_000, replyTimeoutMs = 15_000, tls, signal }: ConnectOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    promise.catch(() => {}); // it is awaited by connect() only if there is a connection at all
    this.#whenFailed = reject;
    this.#sendTimeoutMs = sendTimeoutMs;
    this.#replyTimeoutMs = replyTimeoutMs;
    this.#signal = signal;
    this.handlers = {
      open: (socket) => {
        this.#open(socket);
        if (!tls) resolve();
      },
      // Bun closes a connection that is not authorised by itself.
      handshake: (_, isAuthorized, error) =>
        isAuthorized
          ? resolve()
          : this.#fail(`cannot be trusted: ${error ? describeNetworkError(error) : "no reason is known"}`),
      data: (_, piece) => this.#read(piece),
      drain: () => this.#writeOn(),
      end: () => this.#end(),
      close: (_, error) =>
        this.#fail(`broke the connection${error ? `: ${describeNetworkError(error)}` : ""}`),
      connectError: () => {}, // which Bun.connect() rejects with too
    };
  }

  /**
   * Sends a message and resolves to its answer, or to nothing when the server closed without a word, as the
   * peers' servers do. Several may be under way at once.
   *
   * @throws {ConnectionError} when the message cannot be known to have arrived
   */
  send(payload: string): Promise<Reply | undefined> {
    if (this.#failure) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<Reply | undefined>();
    const waiting: Waiting = { resolve, reject };
    this.#waiting.push(waiting);
    const setTimer = (ms: number, what: string) => {
      clearTimeout(waiting.timer);
      waiting.timer = setTimeout(() => this.#fail(`did not ${what} within ${ms / 1000} s`), ms);
    };
    setTimer(this.#sendTimeoutMs, "take the message");
    this.#write(encodeNetstring(payload), () => {
      // The answer may be there already, when what was sent behind the message took long.
      if (this.#waiting.includes(waiting)) setTimer(this.#replyTimeoutMs, "answer");
    });
    return promise;
  }

  /**
   * Sends a last message without waiting for an answer, as the peers' clients do.
   *
   * @throws {ConnectionError} when it could not be handed to the network
   */
  sendUnanswered(payload: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply | undefined>();
    const timer = setTimeout(() => this.#fail("did not take the message in time"), this.#sendTimeoutMs);
    this.#waiting.push({ resolve, reject, timer });
    this.#write(encodeNetstring(payload), () => resolve(undefined));
    return promise.then(() => {});
  }

  /** Whether messages can still be sent. */
  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  [Symbol.dispose](): void {
    this.#fail("is no longer needed");
  }

  #open(socket: Socket<undefined>): void {
    this.#socket = socket;
    this.#signal?.addEventListener("abort", this.#stop, { once: true });
  }

  readonly #stop = () => this.#fail("is left alone, as this program stops");

  #write(bytes: Uint8Array, written: () => void): void {
    this.#unwritten = this.#unwritten.length > 0 ? Buffer.concat([this.#unwritten, bytes]) : bytes;
    this.#whenWritten.push(written);
    this.#writeOn();
  }

  #writeOn(): void {
    if (this.#unwritten.length === 0) return;
    const count = this.#socket?.write(this.#unwritten) ?? 0;
    if (count > 0) this.#unwritten = this.#unwritten.subarray(count);
    if (this.#unwritten.length > 0) return;
    for (const written of this.#whenWritten.splice(0)) written();
  }

  #read(piece: Uint8Array): void {
    try {
      for (const payload of this.#decoder.push(piece)) {
        const reply = parseReply(Buffer.from(payload).toString());
        const answered = this.#waiting.shift();
        if (!answered) throw new SyntaxError("it answers what was not sent");
        clearTimeout(answered.timer);
        answered.resolve(reply);
      }
    } catch (error) {
      this.#fail(`does not speak the protocol: ${(error as Error).message}`);
    }
  }

  #end(): void {
    // A peer's server reads one message and closes: that one may count, those behind it do not.
    if (this.#unwritten.length === 0 && !this.#decoder.isPartial) {
      const taken = this.#waiting.shift();
      clearTimeout(taken?.timer);
      taken?.resolve(undefined);
    }
    this.#fail("closed the connection");
  }

  #fail(reason: string): void {
    if (this.#failure) return;
    this.#failure = new ConnectionError(reason);
    this.#whenFailed(this.#failure);
    this.#signal?.removeEventListener("abort", this.#stop);
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(this.#failure);
    }
    this.#socket?.end();
  }
}
