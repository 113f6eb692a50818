import { createServer, type Socket } from "node:net";

/** An older implementation's server: it reads one message and closes without a word. */
export interface PeerServer extends AsyncDisposable {
  readonly port: number;
  /** Messages so far, as they came, framed. */
  readonly messages: readonly string[];
  /** Changes what it writes before it closes. */
  replyWith(reply: string): void;
}

/** Options of {@linkcode startPeerServer}. */
export interface PeerServerOptions {
  /** @default {0} */
  readonly port?: number;
  /** What it writes before it closes. @default {""} */
  readonly reply?: string;
  /** Cuts each connection as soon as something arrives. @default {false} */
  readonly reset?: boolean;
}

/** Starts an older implementation's server. */
export async function startPeerServer(options: PeerServerOptions = {}): Promise<PeerServer> {
  const { port = 0, reset = false } = options;
  let { reply = "" } = options;
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let text = "";
    sockets.add(socket);
    socket.on("error", () => {}); // the client may be gone
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (piece) => {
      if (reset) return void socket.resetAndDestroy();
      text += piece.toString();
      const [, length, rest] = /^(\d+):(.*)$/s.exec(text) ?? [];
      if (rest === undefined || Buffer.byteLength(rest) <= Number(length)) return;
      messages.push(text);
      socket.end(reply);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(port, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    messages,
    replyWith(next) {
      reply = next;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
