import { describe, expect, test } from "bun:test";
import { nextOnGrid } from "../../lib/ethereum/poll_grid.ts";
import { createRandom } from "../support/random.ts";

describe("nextOnGrid()", () => {
  test("stays on the grid of the first poll for ten hours, however slow the answers are", () => {
    const random = createRandom(1);
    const intervalMs = 5000;
    const tenHoursMs = 10 * 3600 * 1000;
    const startAt = 123.25;
    let polls = 0;
    for (let pollAt = startAt; pollAt < startAt + tenHoursMs; polls++) {
      const now = pollAt + random() * intervalMs;
      pollAt = nextOnGrid(pollAt, { now, intervalMs });
      expect(pollAt).toBe(startAt + (polls + 1) * intervalMs);
    }
    expect(polls).toBe(7200);
  });

  test("leaves out the polls that were missed", () => {
    expect(nextOnGrid(0, { now: 12_345, intervalMs: 5000 })).toBe(15_000);
  });
});
