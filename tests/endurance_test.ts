import { describe, expect, test } from "bun:test";
import { startAckServer } from "./support/ack_server.ts";
import { startChainNode } from "./support/chain_node.ts";
import { startMeasuredClient, type Holdings, type MeasuredClient } from "./support/measured_client.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

const TEST_TIMEOUT_MS = 120_000;
const TEN_HOURS_SECONDS = 36_000;
const MOST_GROWTH = 1.1;
/** Objects come and go with what is under way. */
const FEW = 20;
/** The one that this test talks through, and one of HTTP that the runtime keeps for its next request. */
const SOCKETS_LEFT = 2;

/** Measures again and again, as freed memory goes back to a busy system late; what leaks never does. */
async function settle(client: MeasuredClient, { residentBytes }: Holdings): Promise<Holdings> {
  return until(
    async () => {
      const holdings = await client.measure();
      return holdings.residentBytes < residentBytes * MOST_GROWTH && holdings;
    },
    { what: `resident memory within ${MOST_GROWTH} times ${residentBytes} bytes` },
  );
}

/** Stops the client; what the garbage collector finds late goes with one of the next looks, what is held does not. */
async function expectNothingLeft(client: MeasuredClient): Promise<void> {
  await until(
    async () => {
      const { objects, sockets } = await client.stop();
      return objects["Timeout"] === 0 && sockets <= SOCKETS_LEFT;
    },
    { what: "the end of all timers and sockets" },
  );
}

function expectFlat({ before, after }: Record<"before" | "after", Holdings>): void {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  console.log(
    `heap ${megabytes(before.heapBytes)} to ${megabytes(after.heapBytes)} MB, ` +
      `resident ${megabytes(before.residentBytes)} to ${megabytes(after.residentBytes)} MB`,
  );
  expect(after.heapBytes / before.heapBytes).toBeLessThan(MOST_GROWTH);
  for (const [kind, count] of Object.entries(before.objects))
    expect({ kind, grows: (after.objects[kind] ?? 0) > count + FEW }).toEqual({ kind, grows: false });
  expect(after.sockets).toBeLessThanOrEqual(before.sockets + 1);
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
      await mineTo(TEN_HOURS_SECONDS);
      const after = await settle(client, before);
      expectFlat({ before, after });
      await expectNothingLeft(client);
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
      await pollTo(polls);
      const after = await settle(client, before);
      expectFlat({ before, after });
      await expectNothingLeft(client);
    },
    TEST_TIMEOUT_MS,
  );
});
