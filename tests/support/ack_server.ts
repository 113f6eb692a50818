import type { Socket, TLSOptions } from "bun";
import { frame, okFor } from "./netstring_client.ts";

/** A server that acknowledges what it takes; disposing it cuts its connections. */
export interface AckServer extends AsyncDisposable {
  readonly port: number;
  /** Numbers of the blocks that it has taken, in order. */
  readonly blocks: readonly bigint[];
  /** Number of connections that brought a message. */
  readonly connections: number;
  /** Whether it takes messages in without acknowledging them. */
  isSilent: boolean;
  /** Answers a block instead of the acknowledgement, when there is something to answer. */
  refusal: ((block: bigint) => string | undefined) | undefined;
  /** Cuts every connection. */
  cut(): void;
}

/** Options of {@linkcode startAckServer}. */
export interface AckServerOptions {
  /** @default {0} */
  readonly port?: number;
  readonly tls?: TLSOptions;
}

interface State {
  text: string;
  messages: number;
}

/** Starts a server that acknowledges. */
export function startAckServer({ port = 0, tls }: AckServerOptions = {}): AckServer {
  const blocks: bigint[] = [];
  const sockets = new Set<Socket<State>>();
  let connections = 0;
  const take = (socket: Socket<State>, page: string) => {
    const block = BigInt(/<p>(\d+)<\/p>/.exec(page)?.[1] ?? -1);
    blocks.push(block);
    if (socket.data.messages++ === 0) connections++;
    if (!self.isSilent) socket.write(frame(self.refusal?.(block) ?? okFor(page)));
  };
  const listener = Bun.listen<State>({
    hostname: "127.0.0.1",
    port,
    ...(tls ? { tls } : {}),
    socket: {
      open(socket) {
        socket.data = { text: "", messages: 0 };
        sockets.add(socket);
      },
      data(socket, piece) {
        const state = socket.data;
        state.text += piece.toString("latin1");
        for (;;) {
          const [start, length] = /^(\d+):/.exec(state.text) ?? [];
          const end = (start?.length ?? 0) + Number(length);
          if (start === undefined || state.text.length <= end) return;
          take(socket, state.text.slice(start.length, end));
          state.text = state.text.slice(end + 1);
        }
      },
      close: (socket) => void sockets.delete(socket),
      error() {}, // the client may be gone
    },
  });
  const self: AckServer = {
    port: listener.port,
    blocks,
    get connections() {
      return connections;
    },
    isSilent: false,
    refusal: undefined,
    cut() {
      for (const socket of sockets) socket.terminate();
    },
    async [Symbol.asyncDispose]() {
      listener.stop(true);
    },
  };
  return self;
}
