/** The load of the ingest benchmark, as a process of its own so that its work is not the server's: see ingest.ts. */
import { renderBlockPage } from "../lib/block_page.ts";

/** What the load is told, as JSON in its one argument. */
export interface Load {
  readonly port: number;
  readonly messages: number;
  readonly connections: number;
  /** Messages that are under way on a connection at once; 0 opens a new connection for each message. */
  readonly window: number;
  /** First block number, so that each run sends pages of its own. */
  readonly from: number;
}

/** What the load measured. */
export interface LoadResult {
  readonly seconds: number;
  readonly acknowledged: number;
  readonly failed: number;
  readonly latenciesMs: { readonly p50: number; readonly p99: number };
}

const ADDRESSES = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 1}`);

async function run({ port, messages, connections, window, from }: Load): Promise<LoadResult> {
  let next = 0;
  let acknowledged = 0;
  let failed = 0;
  const latencies = new Float64Array(messages);
  const take = () => (next < messages ? frame(renderBlockPage(BigInt(from + next++))) : undefined);
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const settle = (isAcknowledged: boolean, startedAt: number) => {
    latencies[acknowledged + failed] = performance.now() - startedAt;
    if (isAcknowledged) acknowledged++;
    else failed++;
    if (acknowledged + failed === messages) resolve();
  };
  const startedAt = performance.now();
  for (let index = 0; index < connections; index++) {
    void (window === 0 ? sendSingly(index) : sendPipelined(index));
  }
  await done;
  const seconds = (performance.now() - startedAt) / 1000;
  latencies.sort();
  const percentile = (share: number) => latencies[Math.min(messages - 1, Math.floor(messages * share))] ?? 0;
  return { seconds, acknowledged, failed, latenciesMs: { p50: percentile(0.5), p99: percentile(0.99) } };

  /** To several addresses of the server in turn, as one alone runs out of ports. */
  function connect(index: number, handlers: Bun.SocketHandler<undefined>) {
    return Bun.connect({ hostname: ADDRESSES[index % ADDRESSES.length] ?? "", port, socket: handlers });
  }

  async function sendSingly(index: number): Promise<void> {
    for (let bytes = take(), turn = index; bytes; bytes = take(), turn++) {
      const sentAt = performance.now();
      const { promise: closed, resolve: close } = Promise.withResolvers<boolean>();
      let isAcknowledged = false;
      const message = bytes;
      await connect(turn, {
        open: (socket) => void socket.write(message),
        data: (socket, piece) => {
          isAcknowledged = piece.includes(":ok ");
          socket.end();
        },
        close: () => close(isAcknowledged),
        error: () => close(false),
      }).catch(() => close(false));
      settle(await closed, sentAt);
    }
  }

  async function sendPipelined(index: number): Promise<void> {
    const sentAt: number[] = [];
    let unwritten = "";
    const send = (socket: Bun.Socket<undefined>) => {
      for (let bytes; sentAt.length < window && (bytes = take());) {
        unwritten += bytes;
        sentAt.push(performance.now());
      }
      if (unwritten !== "") unwritten = unwritten.slice(Math.max(0, socket.write(unwritten)));
    };
    await connect(index, {
      open: send,
      drain: send,
      data: (socket, piece) => {
        for (let at = -1; (at = piece.indexOf(":ok ", at + 1)) >= 0;) settle(true, sentAt.shift() ?? 0);
        send(socket);
      },
    });
  }
}

function frame(payload: string): string {
  return `${payload.length}:${payload},`;
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "{}") as Load)));
  process.exit();
}
