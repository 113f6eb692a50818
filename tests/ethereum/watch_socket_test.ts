import { describe, expect, test } from "bun:test";
import { watchHeads, type WatchOptions } from "../../lib/ethereum/watch.ts";
import { startChainNode, type ChainNode } from "../support/chain_node.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { until, within } from "../support/until.ts";

function startWatch(urls: readonly string[], settings: Partial<WatchOptions> = {}) {
  const log = createRecordingLog();
  const stop = new AbortController();
  const heads: bigint[] = [];
  const watching = watchHeads({
    intervalMs: 5,
    rpcTimeoutMs: 200,
    urls,
    onHead: ({ number }) => heads.push(number),
    onSilence: () => log.error("silence"),
    log,
    signal: stop.signal,
    ...settings,
  });
  return {
    heads,
    log,
    saw: (number: bigint) => until(() => heads.includes(number), { what: `head ${number} in ${heads}` }),
    said: (text: string) =>
      until(() => log.lines.some((line) => line.includes(text)), {
        what: `"${text}" in\n${log.lines.slice(-10).join("\n")}`,
      }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await within(watching);
    },
  };
}

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => BigInt(first + index));
const subscribed = (node: ChainNode) => until(() => node.subscriptions === 1, { what: "a subscription" });

describe("watchHeads() over WebSocket", () => {
  test("tells the current head and then each that is announced, once and in order", async () => {
    await using node = startChainNode();
    await using watch = startWatch([node.socketUrl]);
    await subscribed(node);
    node.mine(300);
    await watch.saw(300n);
    expect(watch.heads).toEqual(range(0, 300));
    expect(node.asked.http).toEqual([]);
  });

  test("asks the chain id once, however often the subscription breaks", async () => {
    await using node = startChainNode();
    await using watch = startWatch([node.socketUrl]);
    for (const number of [1n, 2n, 3n]) {
      await subscribed(node);
      node.cut();
      node.mine();
      await watch.saw(number);
    }
    expect(node.asked.socket.filter((method) => method === "eth_chainId").length).toBe(1);
    expect(watch.heads).toEqual(range(0, 3));
  });

  test("polls the others while no subscription is up, and no longer", async () => {
    await using node = startChainNode();
    await using other = startChainNode();
    node.fault = () => new Response("blocked", { status: 403 });
    await using watch = startWatch([node.socketUrl, other.httpUrl]);
    other.mine();
    await watch.saw(1n);
    expect(watch.log.complaints).toEqual([
      `warn The endpoint ${new URL(node.socketUrl).host} (WebSocket) answered HTTP 403`,
    ]);
    node.head = 1n;
    node.fault = undefined;
    await subscribed(node);
    await watch.said("debug Subscribed to");
    const count = other.asked.http.length;
    node.mine(50);
    await watch.saw(51n);
    // One that was under way, and those that ask all endpoints.
    expect(other.asked.http.length - count).toBeLessThan(50);
  });

  test("reopens a subscription that keeps silent about new blocks", async () => {
    await using node = startChainNode();
    await using watch = startWatch([node.socketUrl], { stallTimeoutMs: 100 });
    await subscribed(node);
    node.announces = false;
    node.mine();
    await watch.saw(1n);
    await watch.said("announces no new blocks although there are some");
    node.announces = true;
    await until(() => node.asked.socket.filter((method) => method === "eth_subscribe").length === 2);
    await subscribed(node);
    node.mine();
    await watch.saw(2n);
    expect(watch.heads).toEqual(range(0, 2));
  });

  test("keeps a subscription that is silent because there are no blocks", async () => {
    await using node = startChainNode();
    await using watch = startWatch([node.socketUrl], { stallTimeoutMs: 100 });
    await subscribed(node);
    const polls = () => node.asked.socket.filter((method) => method === "eth_blockNumber").length;
    const before = polls();
    await until(() => polls() > before + 2);
    node.mine();
    await watch.saw(1n);
    expect(node.asked.socket.filter((method) => method === "eth_subscribe").length).toBe(1);
    expect(watch.log.complaints).toEqual([]);
  });

  test("leaves a subscription that lags behind the others", async () => {
    await using node = startChainNode();
    await using other = startChainNode();
    await using watch = startWatch([node.socketUrl, other.httpUrl], { stallTimeoutMs: 100 });
    await subscribed(node);
    other.head = 50n;
    await watch.saw(50n);
    node.mine(3);
    await watch.said("(WebSocket) lags more than 3 blocks behind the others");
    other.head = 51n;
    await watch.saw(51n);
    node.head = 51n;
    await subscribed(node);
    node.mine();
    await watch.saw(52n);
    expect(watch.heads).toEqual([0n, 50n, 51n, 52n]);
  });

  test("merges two subscriptions into one ascending stream", async () => {
    await using first = startChainNode();
    await using second = startChainNode();
    await using watch = startWatch([first.socketUrl, second.socketUrl]);
    await Promise.all([subscribed(first), subscribed(second)]);
    for (let block = 1; block <= 100; block++) {
      first.mine();
      second.mine();
    }
    first.cut();
    second.mine(2);
    await watch.saw(102n);
    expect(watch.heads).toEqual(range(0, 102));
  });

  test("goes on with an endpoint that offers no subscriptions", async () => {
    await using node = startChainNode();
    node.socketFault = ({ id, method }) =>
      method === "eth_subscribe"
        ? JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "no such method" } })
        : undefined;
    await using watch = startWatch([node.socketUrl]);
    await watch.said("answered error -32601: no such method");
    node.mine();
    await watch.saw(1n);
  });

  test("refuses an endpoint on another chain", async () => {
    await using node = startChainNode();
    await using other = startChainNode();
    other.chainId = 5n;
    other.head = 1000n;
    await using watch = startWatch([node.socketUrl, other.httpUrl], { chainId: 1n });
    await watch.said("is refused: it is on chain 5 instead of 1");
    node.mine();
    await watch.saw(1n);
    expect(watch.heads).toEqual(range(0, 1));
  });
});

describe("watchHeads() over HTTP", () => {
  test("leaves an endpoint alone for as long as it asks for, by status or body", async () => {
    await using limited = startChainNode();
    await using other = startChainNode();
    limited.fault = () => new Response("slow down", { status: 429, headers: { "retry-after": "600" } });
    await using watch = startWatch([limited.httpUrl, other.httpUrl]);
    for (let block = 1; block <= 40; block++) {
      other.mine();
      await watch.saw(BigInt(block));
    }
    expect(limited.asked.http).toEqual(["eth_blockNumber"]);
    expect(watch.log.complaints.length).toBe(1);
  });

  test("finds out that the endpoint it asks lags, and goes on with another", async () => {
    await using stuck = startChainNode();
    await using other = startChainNode();
    other.head = 100n;
    await using watch = startWatch([stuck.httpUrl, other.httpUrl]);
    await watch.saw(100n);
    await watch.said("lags more than 3 blocks behind the others");
    other.mine();
    await watch.saw(101n);
    expect(watch.heads).toEqual([0n, 100n, 101n]);
  });

  test("never goes backwards with an endpoint that does", async () => {
    await using node = startChainNode();
    await using other = startChainNode();
    await using watch = startWatch([node.httpUrl, other.httpUrl]);
    await watch.saw(0n);
    for (let block = 1; block <= 30; block++) {
      node.head = BigInt(block % 3 === 0 ? block - 2 : block);
      other.head = BigInt(block);
      await watch.saw(BigInt(block));
    }
    expect(watch.heads).toEqual(range(0, 30));
  });

  test("says nothing of keys in addresses", async () => {
    await using node = startChainNode();
    const host = new URL(node.httpUrl).host;
    node.fault = () => new Response("no project topsecret", { status: 200 });
    const urls = [`http://name:topsecret@${host}/topsecret`, `ws://${host}/topsecret?key=topsecret`];
    await using watch = startWatch([...urls, "ws://127.0.0.1:1/topsecret", "http://127.0.0.1:1/topsecret"]);
    await watch.said("error silence");
    expect(watch.log.lines.join("\n")).not.toContain("topsecret");
  });
});
