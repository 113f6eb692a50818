import { describe, expect, test } from "bun:test";
import { readHead, watchHeads, type SeenHead } from "../../lib/ethereum/watch.ts";
import { block, body, startFakeNode, type Answer } from "../support/fake_node.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { within } from "../support/until.ts";

const SETTINGS = { intervalMs: 1, rpcTimeoutMs: 300 };

/** Watches a node until it has told so many heads. */
async function watch(answers: readonly Answer[], count: number) {
  await using node = startFakeNode(...answers);
  const log = createRecordingLog();
  const stop = new AbortController();
  const heads: bigint[] = [];
  const onHead = ({ number }: SeenHead) => {
    heads.push(number);
    if (heads.length === count) stop.abort();
  };
  const onSilence = () => log.error("silence");
  await within(watchHeads({ ...SETTINGS, urls: [node.url], onHead, onSilence, log, signal: stop.signal }));
  return { heads, log, host: new URL(node.url).host };
}

function blocks(...numbers: readonly number[]): Answer[] {
  return numbers.map((number) => block(number));
}

describe("watchHeads()", () => {
  test("tells the first number at once and then each new one, block 0 included", async () => {
    expect((await watch(blocks(0, 0, 1, 1, 1, 4, 5), 4)).heads).toEqual([0n, 1n, 4n, 5n]);
  });

  test("passes over a node that lags", async () => {
    expect((await watch(blocks(7, 6, 7, 5, 8), 2)).heads).toEqual([7n, 8n]);
  });

  test("follows a new chain, and says so", async () => {
    const { heads, log } = await watch(blocks(100, ...Array.from({ length: 10 }, () => 3), 4), 3);
    expect(heads).toEqual([100n, 3n, 4n]);
    expect(log.complaints).toEqual(["warn The chain has begun anew at block 3"]);
  });

  test("goes on when nobody answers, and says so once", async () => {
    const broken = body("oops", { status: 500 });
    const { heads, log, host } = await watch([broken, broken, broken, block(1)], 1);
    expect(heads).toEqual([1n]);
    expect(log.complaints).toEqual([`warn The endpoint ${host} answered HTTP 500`, "error silence"]);
  });

  test("ends while it waits", async () => {
    await using node = startFakeNode(block(1));
    const stop = new AbortController();
    const seen = Promise.withResolvers<bigint>();
    const options = { intervalMs: 3_600_000, rpcTimeoutMs: 300, log: createRecordingLog() };
    const onHead = ({ number }: SeenHead) => seen.resolve(number);
    const watching = watchHeads({ ...options, onHead, urls: [node.url], signal: stop.signal });
    expect(await seen.promise).toBe(1n);
    stop.abort();
    await within(watching);
  });

  test("never has two polls under way", async () => {
    let underWay = 0;
    let most = 0;
    let number = 0;
    const slow: Answer = async (call) => {
      most = Math.max(most, ++underWay);
      await Bun.sleep(5);
      underWay--;
      return block(number++)(call);
    };
    await watch([slow], 10);
    expect(most).toBe(1);
  });
});

describe("readHead()", () => {
  test("asks once, and resolves to nothing when nobody answers", async () => {
    await using node = startFakeNode(block(42), body("oops", { status: 500 }));
    const options = {
      ...SETTINGS,
      urls: [node.url],
      log: createRecordingLog(),
      signal: new AbortController().signal,
    };
    expect([await readHead(options), await readHead(options)]).toEqual([42n, undefined]);
    expect(node.calls.length).toBe(2);
  });
});
