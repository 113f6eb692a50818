import { describe, expect, test } from "bun:test";
import { callRpc } from "../../lib/ethereum/rpc.ts";
import { blockNumberMethod, RpcError } from "../../lib/ethereum/rpc_answer.ts";
import { BAD_ANSWERS, block, result, silence, startFakeNode } from "../support/fake_node.ts";

function askBlockNumber(url: string, signal?: AbortSignal): Promise<bigint> {
  return callRpc(url, { ...blockNumberMethod, timeoutMs: 300, signal });
}

async function failureOf(promise: Promise<unknown>): Promise<RpcError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RpcError)) throw new Error(`Expected an RpcError, got ${error}`);
  return error;
}

describe("callRpc()", () => {
  test.each([0n, 1n, 255n, 2n ** 53n + 1n, 2n ** 256n - 1n])("reads block %p", async (number) => {
    await using node = startFakeNode(block(number));
    expect(await askBlockNumber(node.url)).toBe(number);
  });

  test("reads hexadecimal digits of either case", async () => {
    await using node = startFakeNode(result("0xAbC"));
    expect(await askBlockNumber(node.url)).toBe(0xabcn);
  });

  test("asks by JSON-RPC 2.0", async () => {
    await using node = startFakeNode(block(1));
    await askBlockNumber(node.url);
    expect(node.calls).toEqual([
      { jsonrpc: "2.0", id: expect.any(Number), method: "eth_blockNumber", params: [] } as never,
    ]);
  });

  test("takes an answer whose error is null", async () => {
    await using node = startFakeNode(({ id }) =>
      Response.json({ jsonrpc: "2.0", id, result: "0x5", error: null }),
    );
    expect(await askBlockNumber(node.url)).toBe(5n);
  });

  test("there are bad answers", () => expect(BAD_ANSWERS.length).toBeGreaterThan(15));

  test.each(BAD_ANSWERS)("refuses %s", async (_, answer, said) => {
    await using node = startFakeNode(answer);
    expect((await failureOf(askBlockNumber(node.url))).message).toStartWith(said);
  });

  test("says when nothing listens", async () => {
    const { code, message } = await failureOf(askBlockNumber("http://127.0.0.1:1"));
    expect({ code, message }).toEqual({
      code: "unreachable",
      message: "cannot be reached: nothing listens there",
    });
  });

  test("ends by its signal", async () => {
    await using node = startFakeNode(silence());
    const stop = new AbortController();
    const failure = failureOf(askBlockNumber(node.url, stop.signal));
    stop.abort();
    expect((await failure).code).toBe("unreachable");
  });
});
