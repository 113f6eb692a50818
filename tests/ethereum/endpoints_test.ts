import { describe, expect, test } from "bun:test";
import { Endpoints } from "../../lib/ethereum/endpoints.ts";
import { RpcError } from "../../lib/ethereum/rpc.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { until } from "../support/until.ts";

const URLS = ["http://first/secret", "http://second:8545/?key=secret", "http://third"];
const running = new AbortController().signal;

/** Answers with the URL, unless it is broken. */
function answerUnless(broken: ReadonlySet<string>, asked: string[] = []) {
  return async (url: string) => {
    asked.push(url);
    if (broken.has(url)) throw new RpcError("http", "answered HTTP 500");
    return url;
  };
}

describe("Endpoints", () => {
  test("ask() goes on to the next endpoint, and stays with the one that answered", async () => {
    const endpoints = new Endpoints({ urls: URLS, log: createRecordingLog() });
    const asked: string[] = [];
    const broken = new Set(URLS.slice(0, 1));
    const answers = [
      await endpoints.ask(answerUnless(broken, asked), { signal: running }),
      await endpoints.ask(answerUnless(broken, asked), { signal: running }),
    ];
    expect({ answers, asked }).toEqual({
      answers: [URLS[1], URLS[1]],
      asked: [URLS[0], URLS[1], URLS[1]] as string[],
    });
  });

  test("ask() resolves to nothing when none answers, and leaves all alone for a while", async () => {
    const endpoints = new Endpoints({ urls: URLS, log: createRecordingLog() });
    const asked: string[] = [];
    const request = answerUnless(new Set(URLS), asked);
    expect(endpoints.waitMs).toBe(0);
    expect(await endpoints.ask(request, { signal: running })).toBeUndefined();
    expect(endpoints.waitMs).toBeGreaterThan(0);
    expect(await endpoints.ask(request, { signal: running })).toBeUndefined();
    expect(asked).toEqual(URLS);
  });

  test("ask() warns once of what repeats itself, by the host alone, and says when it is over", async () => {
    const log = createRecordingLog();
    const endpoints = new Endpoints({ urls: URLS.slice(1, 2), log });
    const asked: string[] = [];
    await until(async () => {
      await endpoints.ask(answerUnless(new Set(URLS), asked), { signal: running });
      return asked.length === 3;
    });
    await until(() => endpoints.ask(answerUnless(new Set()), { signal: running }));
    expect(log.lines.filter((line) => !line.startsWith("debug"))).toEqual([
      "warn The endpoint second:8545 answered HTTP 500",
      "info The endpoint second:8545 answers again after 3 failures",
    ]);
    expect(log.lines.join("\n")).not.toContain("secret");
  });

  test("ask() lets a defect of the program through", async () => {
    const endpoints = new Endpoints({ urls: URLS, log: createRecordingLog() });
    const asking = endpoints.ask(() => Promise.reject(new TypeError("a defect")), { signal: running });
    expect(asking).rejects.toThrow("a defect");
  });

  test("ask() says nothing of what fails because it is stopped", async () => {
    const log = createRecordingLog();
    const stop = new AbortController();
    const endpoints = new Endpoints({ urls: URLS, log });
    const asking = endpoints.ask(
      () => {
        stop.abort();
        return Promise.reject(new RpcError("unreachable", "cannot be reached"));
      },
      { signal: stop.signal },
    );
    expect(await asking).toBeUndefined();
    expect(log.complaints).toEqual([]);
  });
});
