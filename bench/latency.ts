/**
 * Measures the time from a node's announcement of a block to the server's acknowledgement, for a client that
 * subscribes and one that polls every 5 s, side by side: bun bench/latency.ts [BLOCKS]
 *
 * A real node makes a block a second. Both clients send every block, each to a server of its own, over a new
 * connection each. The announcement is taken when this program's own subscription gets it, the acknowledgement when
 * the client's log says so.
 */
import { openSubscription } from "../lib/ethereum/subscription.ts";
import { startAnvil } from "../tests/support/anvil.ts";
import { startEntry, type Program } from "../tests/support/program.ts";
import { openTempFolder } from "../tests/support/temp_folder.ts";
import { until } from "../tests/support/until.ts";

const BLOCK_TIME_SECONDS = 1;
const POLL_INTERVAL_SECONDS = 5;
const RPC_TIMEOUT_MS = 5000;

const blocks = Number(Bun.argv[2] ?? 300);
const announcedAt = new Map<bigint, number>();
const stop = new AbortController();

await using folder = await openTempFolder();
await using node = await startAnvil(["--block-time", `${BLOCK_TIME_SECONDS}`]);
using subscription = await openSubscription(node.socketUrl, {
  timeoutMs: RPC_TIMEOUT_MS,
  onHead: (number) => void announcedAt.set(number, performance.now()),
  signal: stop.signal,
});
await subscription.subscribe();

await using subscribing = await startClient("subscribing", [`--rpc-url=${node.socketUrl}`]);
await using polling = await startClient("polling", [
  `--rpc-url=${node.url}`,
  `--interval=${POLL_INTERVAL_SECONDS}`,
]);

// Those that were there before, and the first one to be announced to all three, are not measured.
const first = await until(
  () => subscribing.acknowledged.length > 1 && (announcedAt.keys().toArray().at(-1) ?? 0n) + 1n,
);
const last = first + BigInt(blocks) - 1n;
console.log(`Blocks ${first} to ${last}, one every ${BLOCK_TIME_SECONDS} s`);
const timeoutMs = (blocks * BLOCK_TIME_SECONDS + 60) * 1000;
await until(() => subscribing.has(last) && polling.has(last), { timeoutMs, what: `block ${last}` });

for (const client of [subscribing, polling]) console.log(summarise(client));

interface MeasuredClient extends AsyncDisposable {
  readonly name: string;
  /** Blocks in the order of their acknowledgements, and when. */
  readonly acknowledged: readonly { readonly number: bigint; readonly at: number }[];
  has(number: bigint): boolean;
}

async function startClient(name: string, flags: readonly string[]): Promise<MeasuredClient> {
  const server = startEntry(["server.ts", "--port=0", `--sqlite=${folder.file(`${name}.db`)}`]);
  const port = await server.port();
  const acknowledged: { number: bigint; at: number }[] = [];
  const client = startEntry(["client.ts", `--port=${port}`, "--emit-missed", "--ack=required", ...flags], {
    onStderr: (text) => {
      const at = performance.now();
      for (const [, number = "0"] of text.matchAll(/Block (\d+) is delivered and acknowledged/g))
        acknowledged.push({ number: BigInt(number), at });
    },
  });
  return {
    name,
    acknowledged,
    has: (wanted) => acknowledged.some(({ number }) => number === wanted),
    async [Symbol.asyncDispose]() {
      for (const program of [client, server] satisfies Program[]) await program[Symbol.asyncDispose]();
    },
  };
}

function summarise({ name, acknowledged }: MeasuredClient): string {
  const measured = acknowledged.filter(({ number }) => number >= first && number <= last);
  const isOrdered = measured.every(({ number }, index) => number === first + BigInt(index));
  const times = measured.map(({ number, at }) => at - (announcedAt.get(number) ?? NaN)).sort((a, b) => a - b);
  const quantile = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
  const average = times.reduce((sum, time) => sum + time, 0) / times.length;
  const figures = { p50: quantile(0.5), p99: quantile(0.99), average, max: quantile(1) };
  const shown = Object.entries(figures).map(([figure, ms]) => `${figure} ${ms.toFixed(1)} ms`);
  const order =
    isOrdered && measured.length === blocks ? "each once and in order" : "NOT each once and in order";
  return `${name.padEnd(12)} ${measured.length} blocks, ${order}: ${shown.join(", ")}`;
}
