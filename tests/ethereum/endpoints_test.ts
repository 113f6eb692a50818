import { describe, expect, test } from "bun:test";
import { benchedMs, Endpoints, type Endpoint } from "../../lib/ethereum/endpoints.ts";
import { RpcError } from "../../lib/ethereum/rpc_answer.ts";
import { createRecordingLog } from "../support/recording_log.ts";

const URLS = ["http://first/secret", "http://user:secret@second:8545/?key=secret", "http://third"];
const signal = new AbortController().signal;

function createEndpoints(urls: readonly string[] = URLS, chainId?: bigint) {
  const log = createRecordingLog();
  let silences = 0;
  const endpoints = new Endpoints({ urls, chainId, log, onSilence: () => silences++ });
  const fail = (endpoint: Endpoint, error = new RpcError("http", "answered HTTP 500")) =>
    endpoints.use(endpoint, { ask: () => Promise.reject(error), signal });
  return { endpoints, log, fail, all: endpoints.polled, silences: () => silences };
}

describe("Endpoints", () => {
  test("use() resolves to the answer, or to nothing and benches", async () => {
    const { endpoints, fail, all } = createEndpoints();
    const [first, second] = all as [Endpoint, Endpoint];
    expect(await endpoints.use(first, { ask: async () => 5, signal })).toBe(5);
    expect(await fail(second)).toBeUndefined();
    expect([benchedMs(first), benchedMs(second) > 0]).toEqual([0, true]);
  });

  test("noteSuccess() puts the endpoint that answered first", () => {
    const { endpoints, all } = createEndpoints();
    endpoints.noteSuccess(all[1] as Endpoint);
    expect(endpoints.polled.map(({ url }) => url)).toEqual([URLS[1], URLS[0], URLS[2]] as string[]);
  });

  test("use() benches for longer each time, and for as long as it is asked to", async () => {
    const { fail, all } = createEndpoints();
    const [first, second] = all as [Endpoint, Endpoint];
    const benches: number[] = [];
    for (let time = 0; time < 12; time++) {
      await fail(first);
      benches.push(benchedMs(first));
    }
    expect(benches[0]).toBeLessThanOrEqual(100);
    expect(benches.at(-1)).toBeGreaterThan(14_000);
    expect(Math.max(...benches)).toBeLessThanOrEqual(30_000);
    await fail(second, new RpcError("rate-limited", "answered HTTP 429", { retryAfterMs: 3_600_000 }));
    expect(benchedMs(second)).toBeGreaterThan(3_500_000);
  });

  test("use() warns once of what repeats itself, by the host alone, and says when it is over", async () => {
    const { endpoints, log, fail, all } = createEndpoints(URLS.slice(1, 2));
    const [endpoint] = all as [Endpoint];
    const error = new RpcError("refused", "answered error -32000: no project secret");
    for (let time = 0; time < 3; time++) await fail(endpoint, error);
    endpoints.noteSuccess(endpoint);
    expect(log.lines.filter((line) => !line.startsWith("debug"))).toEqual([
      "warn The endpoint second:8545 answered error -32000: no project …",
      "info The endpoint second:8545 answers again after 3 failures",
    ]);
    expect(log.lines.join("\n")).not.toContain("secret");
  });

  test("use() quotes no more than the beginning of what was answered, and no key in whatever form", async () => {
    const key = "SECRET1234567890";
    const urls = [`http://user:pass%20word@host/v3/${key}%2F?apikey=ab%2Fcd&${key}`];
    const { log, fail, all } = createEndpoints(urls);
    const shown = `/v3/${key}/ /v3/${key}%2F pass word pass%20word ab/cd ab%2Fcd ?${key}`;
    await fail(all[0] as Endpoint, new RpcError("malformed", `answered ${shown} ${"x".repeat(10_000)}`));
    const [said = ""] = log.lines;
    expect(said).toStartWith("warn The endpoint host answered /v3/… /v3/… … … … … ?… xxx");
    expect(said.length).toBeLessThan(300);
    for (let before = 180; before < 260; before++) {
      const other = createEndpoints(urls);
      await other.fail(other.all[0] as Endpoint, new RpcError("malformed", "x".repeat(before) + key));
      expect(other.log.lines.join()).not.toContain("SECR");
    }
  });

  test("use() tells of silence once all have failed, and again after one has told a head", async () => {
    const { endpoints, fail, all, silences } = createEndpoints();
    for (const endpoint of [...all, ...all]) await fail(endpoint);
    expect(silences()).toBe(1);
    endpoints.noteHead(all[0] as Endpoint, 1n);
    await fail(all[0] as Endpoint);
    expect(silences()).toBe(2);
  });

  test("use() lets a defect of the program through, and says nothing of what is stopped", async () => {
    const { endpoints, log, all } = createEndpoints();
    const [endpoint] = all as [Endpoint];
    const defect = endpoints.use(endpoint, { ask: () => Promise.reject(new TypeError("a defect")), signal });
    await expect(defect).rejects.toThrow("a defect");
    const ask = () => Promise.reject(new RpcError("unreachable", "cannot be reached"));
    await endpoints.use(endpoint, { ask, signal: AbortSignal.abort() });
    expect(log.lines).toEqual([]);
  });

  test("noteHead() refuses what is more than 3 blocks behind a healthy endpoint", async () => {
    const { endpoints, fail, all } = createEndpoints();
    const [first, second] = all as [Endpoint, Endpoint];
    endpoints.noteHead(first, 100n);
    endpoints.noteHead(second, 97n);
    expect(() => endpoints.noteHead(second, 96n)).toThrow("lags more than 3 blocks behind the others");
    await fail(first);
    endpoints.noteHead(second, 96n);
    expect(second.head).toBe(96n);
  });

  test("noteHead() lets the only endpoint go backwards", () => {
    const { endpoints, all } = createEndpoints(["http://only"]);
    endpoints.noteHead(all[0] as Endpoint, 100n);
    endpoints.noteHead(all[0] as Endpoint, 5n);
    expect(all[0]?.head).toBe(5n);
  });

  test("checkChain() asks each once, and refuses one that disagrees with the first", async () => {
    const { endpoints, all } = createEndpoints();
    const [first, second] = all as [Endpoint, Endpoint];
    let asked = 0;
    const answer = (chainId: bigint) => async () => {
      asked++;
      return chainId;
    };
    await endpoints.checkChain(first, answer(1n));
    await endpoints.checkChain(first, answer(1n));
    await expect(endpoints.checkChain(second, answer(5n))).rejects.toThrow(
      "is refused: it is on chain 5 instead of 1",
    );
    expect(asked).toBe(2);
  });

  test("checkChain() refuses what is not on the chain that was asked for", async () => {
    const { endpoints, all } = createEndpoints(URLS, 11_155_111n);
    const checking = endpoints.checkChain(all[0] as Endpoint, async () => 1n);
    await expect(checking).rejects.toThrow("is refused: it is on chain 1 instead of 11155111");
  });
});
