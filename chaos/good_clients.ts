import { renderBlockPage } from "../lib/block_page.ts";
import { frame, okFor } from "../tests/support/netstring_client.ts";

/** Options of {@linkcode runGoodClients}. */
export interface GoodClientsOptions {
  readonly port: number;
  readonly clients: number;
  /** Ends the run. */
  readonly signal: AbortSignal;
  /** Pause of a client between two messages. @default {50} */
  readonly pauseMs?: number;
  /** First block number, so that each run sends pages of its own. @default {0} */
  readonly from?: number;
}

/** What good clients have seen. */
export interface GoodClientsResult {
  /** Pages that were acknowledged. */
  readonly acknowledged: readonly string[];
  /** Messages with another answer, by its beginning; or none. */
  readonly failed: ReadonlyMap<string, number>;
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const REPLY_TIMEOUT_MS = 20_000;
const ADDRESSES = 8;

/** Runs clients that each send a page over a new connection, wait for the answer, pause, and go on until told to stop. */
export async function runGoodClients(options: GoodClientsOptions): Promise<GoodClientsResult> {
  const { port, clients, signal, pauseMs = 50, from = 0 } = options;
  const acknowledged: string[] = [];
  const failed = new Map<string, number>();
  const latenciesMs: number[] = [];
  let next = from;
  const run = async (index: number) => {
    for (let turn = index; !signal.aborted; turn++) {
      const page = renderBlockPage(BigInt(next++));
      const startedAt = performance.now();
      const answer = await exchange({ hostname: `127.0.0.${1 + (turn % ADDRESSES)}`, port }, frame(page));
      latenciesMs.push(performance.now() - startedAt);
      if (answer.includes(okFor(page))) acknowledged.push(page);
      else failed.set(answer.slice(0, 30), (failed.get(answer.slice(0, 30)) ?? 0) + 1);
      await Bun.sleep(pauseMs * (0.5 + Math.random()));
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, index) => run(index)));
  latenciesMs.sort((one, other) => one - other);
  const percentile = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0;
  const failures = [...failed.values()].reduce((sum, number) => sum + number, 0);
  return { acknowledged, failed, failures, p50Ms: percentile(0.5), p99Ms: percentile(0.99) };
}

/** Sends bytes over a new connection, in one piece or several, closes its side and gives what is answered until the end. */
export async function exchange(
  where: { readonly hostname: string; readonly port: number },
  ...pieces: readonly Uint8Array[]
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const timer = setTimeout(() => resolve(`no answer within ${REPLY_TIMEOUT_MS / 1000} s`), REPLY_TIMEOUT_MS);
  const rest = [...pieces];
  const writeOn = (socket: Bun.Socket<undefined>) => {
    for (let piece = rest[0]; piece; piece = rest[0]) {
      const written = socket.write(piece);
      if (written < 0) return;
      if (written < piece.length) {
        rest[0] = piece.subarray(written);
        return;
      }
      rest.shift();
      if (rest.length > 0) {
        // The next piece goes out by itself, so that the server reads a cut.
        setImmediate(() => writeOn(socket));
        return;
      }
    }
    socket.shutdown();
  };
  const socket = await Bun.connect<undefined>({
    ...where,
    allowHalfOpen: true,
    socket: {
      open: (opened) => {
        opened.setNoDelay(true);
        writeOn(opened);
      },
      drain: writeOn,
      data: (_, piece) => void (answer += piece.toString("latin1")),
      end: (opened) => void opened.end(),
      close: (_, error) => resolve(error ? `${answer}[${error.message}]` : answer),
      error: (_, error) => resolve(`${answer}[${error.message}]`),
      connectError: (_, error) => resolve(`[${error.message}]`),
    },
  }).catch(() => undefined);
  const result = await promise;
  clearTimeout(timer);
  socket?.terminate();
  return result;
}
