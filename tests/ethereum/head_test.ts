import { describe, expect, test } from "bun:test";
import { Head, type HeadChange } from "../../lib/ethereum/head.ts";

function observeAll(numbers: readonly number[]): HeadChange[] {
  const head = new Head();
  return numbers.map((number) => head.observe(BigInt(number)));
}

describe("Head", () => {
  test("observe() tells a first, an equal and a higher number apart, block 0 included", () => {
    expect(observeAll([0, 0, 1, 1, 5])).toEqual(["new-block", "none", "new-block", "none", "new-block"]);
  });

  test("observe() takes a lower number for a node that lags", () => {
    expect(observeAll([5, 4, 5, 6])).toEqual(["new-block", "none", "none", "new-block"]);
  });

  test("observe() takes numbers that are lower for ten polls in a row for a new chain", () => {
    const lower = Array.from({ length: 11 }, (_, index) => index);
    expect(observeAll([100, ...lower])).toEqual([
      "new-block",
      ...Array.from({ length: 9 }, () => "none" as const),
      "new-chain",
      "new-block",
    ]);
  });

  test("observe() counts anew after a number that is not lower", () => {
    const nine = Array.from({ length: 9 }, () => 1);
    expect(observeAll([5, ...nine, 5, ...nine]).slice(1)).toEqual(
      Array.from({ length: 19 }, () => "none" as const),
    );
  });

  test("number is the last one that was new", () => {
    const head = new Head();
    expect(head.number).toBeUndefined();
    for (const number of [2n ** 256n - 1n, 7n]) head.observe(number);
    expect(head.number).toBe(2n ** 256n - 1n);
  });
});
