import { describe, expect, test } from "bun:test";
import { Cached } from "../../lib/cat/cached.ts";

function createCounting(options: { readonly maxEntries?: number } = {}) {
  const clock = { nowMs: 0 };
  const cached = new Cached<string>({ ttlMs: 1000, now: () => clock.nowMs, ...options });
  const loads: string[] = [];
  const get = (key: string) =>
    cached.get(key, async () => {
      loads.push(key);
      return `${key}${loads.length}`;
    });
  return { clock, cached, loads, get };
}

describe("Cached", () => {
  test("get() loads again when the answer is as old as it may be", async () => {
    const { clock, get } = createCounting();
    const answers = [await get("a"), await get("a")];
    clock.nowMs = 999;
    answers.push(await get("a"));
    clock.nowMs = 1000;
    answers.push(await get("a"));
    expect(answers).toEqual(["a1", "a1", "a1", "a2"]);
  });

  test("get() counts the age from when the answer was there", async () => {
    const { clock, cached } = createCounting();
    const late = Promise.withResolvers<string>();
    const first = cached.get("a", () => late.promise);
    clock.nowMs = 5000;
    late.resolve("late");
    await first;
    clock.nowMs = 5999;
    expect(await cached.get("a", async () => "again")).toBe("late");
  });

  test("get() shares a load that is under way, however long it takes", async () => {
    const { clock, cached, loads } = createCounting();
    const late = Promise.withResolvers<string>();
    const load = () => {
      loads.push("load");
      return late.promise;
    };
    const first = cached.get("a", load);
    clock.nowMs = 60_000;
    const second = cached.get("a", load);
    late.resolve("late");
    expect([await first, await second, ...loads]).toEqual(["late", "late", "load"]);
  });

  test("get() keeps no failure", async () => {
    const { cached, get } = createCounting();
    const failing = cached.get("a", () => Promise.reject(new Error("away")));
    await expect(Promise.resolve(failing)).rejects.toThrow("away");
    expect(await get("a")).toBe("a1");
  });

  test("get() keeps no more than its limit, and lets the oldest go", async () => {
    const { loads, get } = createCounting({ maxEntries: 2 });
    for (const key of ["a", "b", "c", "c", "b", "a"]) await get(key);
    expect(loads).toEqual(["a", "b", "c", "a"]);
  });
});
