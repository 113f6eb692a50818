import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy that can hold back what the server answers. */
export interface HoldingProxy extends AsyncDisposable {
  readonly port: number;
  /** Holds back all answers from now on. */
  hold(): void;
  /** Throws away what is held back, cuts all connections, and lets new ones through. */
  cut(): void;
}

/** Starts a proxy to a server on this machine. */
export async function startHoldingProxy({ port }: { readonly port: number }): Promise<HoldingProxy> {
  let isHolding = false;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (piece) => upstream.write(piece));
    upstream.on("data", (piece) => {
      if (!isHolding) client.write(piece);
    });
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const cut = () => {
    isHolding = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: typeof address === "object" && address ? address.port : 0,
    hold: () => void (isHolding = true),
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
