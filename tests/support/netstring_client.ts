import { createConnection, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { until } from "./until.ts";

/** Options of {@linkcode connectNetstring}. */
export interface NetstringClientOptions {
  readonly port: number;
  /** @default {"127.0.0.1"} */
  readonly host?: string;
  /** Address to connect from, such as 127.0.0.2. */
  readonly localAddress?: string;
  /** Encrypts the connection. */
  readonly tls?: ConnectionOptions;
}

/** Frames a payload, without the code under test. */
export function frame(payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes, Buffer.from(",")]);
}

/** The acknowledgement that a payload is due. */
export function okFor(payload: string | Uint8Array): string {
  return `ok ${new Bun.CryptoHasher("sha256").update(payload).digest("hex")}`;
}

/** Connects a client that knows netstrings and nothing else of the code under test. */
export async function connectNetstring({
  port,
  host = "127.0.0.1",
  localAddress,
  tls,
}: NetstringClientOptions): Promise<NetstringClient> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const options = {
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    ...(localAddress ? { localAddress } : {}),
  };
  const socket = tls ? connectTls({ ...options, ...tls }, resolve) : createConnection(options, resolve);
  socket.once("error", reject);
  await promise;
  return new NetstringClient(socket);
}

/** A connection that frames what it sends and keeps the replies it gets. */
export class NetstringClient implements AsyncDisposable {
  /** Replies so far, in order. */
  readonly replies: string[] = [];
  readonly #socket: Socket;
  #unread = Buffer.alloc(0);
  #state: "open" | "ended" | "closed" | "reset" = "open";

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (piece: Buffer) => this.#read(piece));
    socket.on("end", () => (this.#state = "ended"));
    socket.on("error", () => (this.#state = "reset"));
    socket.on("close", () => {
      if (this.#state === "open") this.#state = "closed";
    });
  }

  /** Where it stands: `ended` when the server has closed in order, `reset` when it has cut the connection. */
  get state(): "open" | "ended" | "closed" | "reset" {
    return this.#state;
  }

  /** Bytes that arrived and are no whole reply. */
  get unread(): string {
    return this.#unread.toString();
  }

  /** The port that the server sees. */
  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Sends payloads, all in one piece. */
  send(...payloads: readonly (string | Uint8Array)[]): void {
    this.write(Buffer.concat(payloads.map((payload) => frame(payload))));
  }

  /** Sends bytes as they are. */
  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Closes the sending side and goes on reading. */
  shutdown(): void {
    this.#socket.end();
  }

  /** Stops reading, so that the server's replies stay in the network. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#socket.resume();
  }

  /** Resolves to all replies so far once there are that many. */
  async receive(count: number): Promise<readonly string[]> {
    await until(() => this.replies.length >= count || this.#state !== "open", {
      what: `${count} replies: there are ${this.replies.length}`,
    });
    return this.replies;
  }

  /** Resolves to how the server ended the connection. */
  async closed(): Promise<"ended" | "closed" | "reset"> {
    await until(() => this.#state !== "open", { what: "the end of the connection" });
    return this.#state as Exclude<typeof this.state, "open">;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }

  #read(piece: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, piece]);
    for (;;) {
      const colon = this.#unread.indexOf(":");
      if (colon < 0) return;
      const end = colon + 1 + Number(this.#unread.subarray(0, colon).toString());
      if (this.#unread.length <= end) return;
      this.replies.push(this.#unread.subarray(colon + 1, end).toString());
      this.#unread = this.#unread.subarray(end + 1);
    }
  }
}
