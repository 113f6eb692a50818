import { describe, expect, test } from "bun:test";
import { blockNumberMethod, RpcError } from "../../lib/ethereum/rpc_answer.ts";
import { openSubscription } from "../../lib/ethereum/subscription.ts";
import { announcement, startChainNode, type ChainNode } from "../support/chain_node.ts";
import { until } from "../support/until.ts";

const signal = new AbortController().signal;

async function subscribe(node: ChainNode, heads: bigint[] = []) {
  const onHead = (number: bigint) => void heads.push(number);
  const subscription = await openSubscription(node.socketUrl, { timeoutMs: 300, onHead, signal });
  await subscription.subscribe();
  return subscription;
}

async function failureOf(work: Promise<unknown>): Promise<RpcError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RpcError)) throw new Error(`Expected an RpcError, got ${error}`);
  return error;
}

describe("Subscription", () => {
  test("tells each announced head, and answers calls between them", async () => {
    await using node = startChainNode();
    const heads: bigint[] = [];
    using subscription = await subscribe(node, heads);
    node.mine(3);
    expect(await subscription.call(blockNumberMethod)).toBe(3n);
    node.mine(1);
    await until(() => heads.length === 4);
    expect(heads).toEqual([1n, 2n, 3n, 4n]);
  });

  const BAD_MESSAGES = [
    ["garbage", "}{", "sent what is not JSON-RPC"],
    ["a batch", "[]", "sent what is not JSON-RPC"],
    ["a head without a number", announcement(1n).replace('"0x1"', "1"), "sent what is not JSON-RPC"],
    ["a head of another subscription", announcement(1n, "0x99"), "announced a head of another subscription"],
    ["an answer to nothing", '{"jsonrpc":"2.0","id":9,"result":"0x1"}', "answered what was not asked"],
    [
      "a message that is too long",
      `"${"x".repeat(1024 * 1024)}"`,
      "answered with more than 1048576 characters",
    ],
  ] as const;

  test.each(BAD_MESSAGES)("ends by %s", async (_, text, said) => {
    await using node = startChainNode();
    const heads: bigint[] = [];
    using subscription = await subscribe(node, heads);
    node.send(text);
    await until(() => subscription.signal.aborted);
    expect(() => subscription.throwIfEnded()).toThrow(said);
    expect(heads).toEqual([]);
    await until(() => node.subscriptions === 0);
  });

  const BAD_ANSWERS = [
    ["a wrong id", '{"jsonrpc":"2.0","id":77,"result":"0x1"}', "answered another request than was made"],
    [
      "an error",
      '{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no"}}',
      "answered error -32601: no",
    ],
    ["no text", '{"jsonrpc":"2.0","id":2,"result":5}', "answered eth_blockNumber with 5"],
  ] as const;

  test.each(BAD_ANSWERS)("call() refuses %s", async (_, text, said) => {
    await using node = startChainNode();
    using subscription = await subscribe(node);
    node.socketFault = () => text;
    expect((await failureOf(subscription.call(blockNumberMethod))).message).toBe(said);
  });

  test("call() knows a rate limit in the body", async () => {
    await using node = startChainNode();
    using subscription = await subscribe(node);
    node.socketFault = ({ id }) =>
      JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32005, message: "slow down" } });
    expect((await failureOf(subscription.call(blockNumberMethod))).code).toBe("rate-limited");
  });

  test("call() gives up on an endpoint that does not answer", async () => {
    using silent = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data() {}, open() {} },
    });
    const opening = openSubscription(`ws://127.0.0.1:${silent.port}/secret`, {
      timeoutMs: 50,
      onHead: () => {},
      signal,
    });
    expect((await failureOf(opening)).message).toBe("did not accept a WebSocket within 0.05 s");
  });

  test("ends when the endpoint closes, and says why", async () => {
    await using node = startChainNode();
    using subscription = await subscribe(node);
    node.cut();
    await until(() => subscription.signal.aborted);
    expect(() => subscription.throwIfEnded()).toThrow("closed the subscription");
    expect((await failureOf(subscription.call(blockNumberMethod))).code).toBe("closed");
  });

  test("closes its socket when it is disposed", async () => {
    await using node = startChainNode();
    {
      using _ = await subscribe(node);
      expect(node.subscriptions).toBe(1);
    }
    await until(() => node.subscriptions === 0);
  });

  const UNOPENED = [
    [401, "http", "answered HTTP 401"],
    [429, "rate-limited", "answered HTTP 429"],
  ] as const;

  test.each(UNOPENED)("knows HTTP %p instead of a WebSocket", async (status, code, message) => {
    await using node = startChainNode();
    node.fault = () => new Response("no", { status });
    const failure = await failureOf(subscribe(node));
    expect({ code: failure.code, message: failure.message }).toEqual({ code, message });
  });

  test("says when nothing listens, without the address", async () => {
    const opening = openSubscription("ws://127.0.0.1:1/secret?key=secret", {
      timeoutMs: 5000,
      onHead: () => {},
      signal,
    });
    expect((await failureOf(opening)).message).toBe("cannot be reached: nothing listens there");
  });
});
