import { describe, expect, test } from "bun:test";
import { createBackoff, sleep } from "../lib/retry.ts";

function delays(count: number, random: () => number): number[] {
  const backoff = createBackoff({ minMs: 100, maxMs: 1000, random });
  return Array.from({ length: count }, () => backoff.next());
}

describe("createBackoff()", () => {
  test("next() doubles up to the limit", () => {
    expect(delays(6, () => 1)).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  test("next() is shortened by half at most", () => {
    expect(delays(6, () => 0)).toEqual([50, 100, 200, 400, 500, 500]);
  });

  test("reset() starts again", () => {
    const backoff = createBackoff({ minMs: 100, random: () => 1 });
    const first = [backoff.next(), backoff.next()];
    backoff.reset();
    expect([...first, backoff.next()]).toEqual([100, 200, 100]);
  });
});

describe("sleep()", () => {
  test("ends by its signal, and at once when that was given before", async () => {
    const stop = new AbortController();
    const asleep = sleep(3_600_000, stop.signal);
    stop.abort();
    await asleep;
    await sleep(3_600_000, stop.signal);
    expect(stop.signal.aborted).toBe(true);
  });

  test("ends by itself", async () => {
    let isAwake = false;
    await sleep(1).then(() => (isAwake = true));
    expect(isAwake).toBe(true);
  });
});
