import { describe, expect, test } from "bun:test";
import { BlockTime } from "../../lib/ethereum/block_time.ts";

describe("BlockTime", () => {
  test("averageMs begins with mainnet's, and comes to what is observed", () => {
    const blockTime = new BlockTime();
    expect(blockTime.averageMs).toBe(12_000);
    for (let number = 0; number < 60; number++) blockTime.observe(BigInt(number), number * 2000);
    expect(blockTime.averageMs).toBeCloseTo(2000, -1);
  });

  test("observe() counts blocks that were missed", () => {
    const blockTime = new BlockTime();
    for (let number = 0; number < 600; number += 10) blockTime.observe(BigInt(number), number * 2000);
    expect(blockTime.averageMs).toBeCloseTo(2000, -1);
  });

  test("observe() begins again on a new chain", () => {
    const blockTime = new BlockTime();
    blockTime.observe(100n, 0);
    blockTime.observe(5n, 999_999);
    expect(blockTime.averageMs).toBe(12_000);
  });
});
