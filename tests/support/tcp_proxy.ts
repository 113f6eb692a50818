import type { Socket } from "bun";

/**
 * A TCP proxy in a process of its own, so that SIGSTOP freezes it and every connection through it.
 *
 * Its parent tells it where to connect to.
 */

/** A proxy that runs; disposing it kills it. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connects new connections to a port of 127.0.0.1; connections there are, are cut. */
  target(port: number): Promise<void>;
  /** Stops all bytes without a word, as a machine that hangs does. */
  freeze(): void;
  thaw(): void;
}

/** Starts a proxy that refuses connections until it has a target. */
export async function startTcpProxy(): Promise<TcpProxy> {
  let wake = Promise.withResolvers<number>();
  const child = Bun.spawn([process.execPath, import.meta.path], {
    stdio: ["ignore", "ignore", "inherit"],
    ipc: (port) => wake.resolve(port as number),
  });
  const port = await wake.promise;
  return {
    port,
    async target(to) {
      wake = Promise.withResolvers();
      child.send(to);
      await wake.promise;
    },
    freeze: () => child.kill("SIGSTOP"),
    thaw: () => child.kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

interface Side {
  other?: Socket<Side>;
  /** What the other side has not taken yet; a few messages, as tests send no more. */
  unsent: Buffer;
}

function runProxy(): void {
  let to = 0;
  const open = new Set<Socket<Side>>();
  const pass = (side: Side) => {
    const taken = side.other?.write(side.unsent) ?? 0;
    if (taken > 0) side.unsent = side.unsent.subarray(taken);
  };
  const socket: Bun.SocketHandler<Side> = {
    data(from, piece) {
      from.data.unsent = Buffer.concat([from.data.unsent, piece]);
      pass(from.data);
    },
    drain(ready) {
      if (ready.data.other) pass(ready.data.other.data);
    },
    close(closed) {
      open.delete(closed);
      closed.data.other?.end();
    },
    error: (broken) => void broken.terminate(),
  };
  const listener = Bun.listen<Side>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      ...socket,
      async open(from) {
        from.data = { unsent: Buffer.alloc(0) };
        open.add(from);
        const data: Side = { unsent: Buffer.alloc(0), other: from };
        try {
          from.data.other = await Bun.connect({ hostname: "127.0.0.1", port: to, socket, data });
          open.add(from.data.other);
          pass(from.data);
        } catch {
          from.terminate(); // nothing listens there, which the other side is to see
        }
      },
    },
  });
  process.on("message", (port: number) => {
    to = port;
    for (const socket of open) socket.terminate();
    process.send?.(to);
  });
  process.send?.(listener.port);
}

if (import.meta.main) runProxy();
