import { describe, expect, test } from "bun:test";
import { startAckServer } from "./support/ack_server.ts";
import { startChainNode } from "./support/chain_node.ts";
import { startMeasuredClient, type Holdings } from "./support/measured_client.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

const TEST_TIMEOUT_MS = 120_000;
const TEN_HOURS_SECONDS = 36_000;
/** Objects come and go with what is under way. */
const FEW = 20;
/** The one that this test talks through, and one of HTTP that the runtime keeps for its next request. */
const SOCKETS_LEFT = 2;

function expectFlat({ before, after, left }: Record<"before" | "after" | "left", Holdings>): void {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  console.log(
    `heap ${megabytes(before.heapBytes)} to ${megabytes(after.heapBytes)} MB, ` +
      `resident ${megabytes(before.residentBytes)} to ${megabytes(after.residentBytes)} MB`,
  );
  expect(after.heapBytes / before.heapBytes).toBeLessThan(1.1);
  expect(after.residentBytes / before.residentBytes).toBeLessThan(1.1);
  for (const [kind, count] of Object.entries(before.objects))
    expect({ kind, grows: (after.objects[kind] ?? 0) > count + FEW }).toEqual({ kind, grows: false });
  expect(after.sockets).toBeLessThanOrEqual(before.sockets + 1);
  expect(left.objects["Timeout"]).toBe(0);
  expect(left.sockets).toBeLessThanOrEqual(SOCKETS_LEFT);
}

describe("runClient() for ten hours of blocks", () => {
  test(
    "subscribed, a block a second, with breaks: memory is flat and nothing is left over",
    async () => {
      await using folder = await openTempFolder();
      await using node = startChainNode();
      await using server = startAckServer();
      const reached = (block: number) =>
        until(() => server.blocks.at(-1) === BigInt(block), { what: `block ${block}`, timeoutMs: 60_000 });
      await using client = startMeasuredClient({
        rpcUrls: [node.socketUrl, node.httpUrl],
        port: server.port,
        state: folder.file("state"),
        emitMissed: true,
        persistent: true,
      });
      await reached(0);
      const mineTo = async (last: number) => {
        while (node.head < BigInt(last)) {
          node.mine(100);
          await reached(Number(node.head));
          if (node.head % 500n === 0n) node.cut();
          if (node.head % 700n === 0n) server.cut();
        }
        return client.measure();
      };
      const before = await mineTo(TEN_HOURS_SECONDS / 3);
      const after = await mineTo(TEN_HOURS_SECONDS);
      expectFlat({ before, after, left: await client.stop() });
      await until(() => node.subscriptions === 0);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "polling every 5 s, with failures: memory is flat and nothing is left over",
    async () => {
      await using node = startChainNode();
      await using server = startAckServer();
      await using client = startMeasuredClient({ rpcUrls: [node.httpUrl], port: server.port, intervalMs: 1 });
      const polls = TEN_HOURS_SECONDS / 5;
      let asked = 0;
      node.fault = () => {
        node.head++;
        return ++asked % 300 === 0 ? new Response("oops", { status: 500 }) : undefined;
      };
      const pollTo = async (count: number) => {
        await until(() => asked >= count, { what: `poll ${count}`, timeoutMs: 60_000 });
        return client.measure();
      };
      const before = await pollTo(polls / 3);
      const after = await pollTo(polls);
      expectFlat({ before, after, left: await client.stop() });
    },
    TEST_TIMEOUT_MS,
  );
});
