import { describe, expect, test } from "bun:test";
import { Backlog, type BacklogOptions, type GivenUp } from "../lib/backlog.ts";

type Told = [first: bigint, last: bigint, total: bigint, reason: GivenUp["reason"]];

function createBacklog(options: Partial<BacklogOptions> = {}) {
  const givenUp: Told[] = [];
  const backlog = new Backlog({
    capacity: 10,
    isGapless: true,
    onGivenUp: ({ first, last, total, reason }) => givenUp.push([first, last, total, reason]),
    ...options,
  });
  const add = (number: bigint, isNewChain = false) => backlog.add({ number, isNewChain });
  const takeAll = () => {
    const taken: bigint[] = [];
    for (let number; (number = backlog.take()) !== undefined;) taken.push(number);
    return taken;
  };
  return { backlog, givenUp, add, takeAll };
}

describe("Backlog", () => {
  test("gives the blocks between two heads too, in order, block 0 included", () => {
    const { add, takeAll } = createBacklog();
    add(0n);
    add(4n);
    expect(takeAll()).toEqual([0n, 1n, 2n, 3n, 4n]);
    add(6n);
    expect(takeAll()).toEqual([5n, 6n]);
  });

  test("goes on behind the block it is told", () => {
    const { add, takeAll } = createBacklog({ after: 7n });
    add(7n);
    add(9n);
    expect(takeAll()).toEqual([8n, 9n]);
  });

  test("without gaps wanted, gives the newest head alone", () => {
    const { add, takeAll, givenUp } = createBacklog({ isGapless: false, capacity: 1 });
    add(5n);
    add(9n);
    add(10n);
    expect(takeAll()).toEqual([10n]);
    expect(givenUp).toEqual([
      [5n, 5n, 1n, "newer"],
      [9n, 9n, 2n, "newer"],
    ]);
  });

  test("beyond its capacity gives up the oldest, counts and tells them", () => {
    const { add, takeAll, givenUp } = createBacklog({ after: 0n, capacity: 3 });
    add(2n ** 200n);
    add(2n ** 200n + 1n);
    expect(givenUp).toEqual([
      [1n, 2n ** 200n - 3n, 2n ** 200n - 3n, "too-many"],
      [2n ** 200n - 2n, 2n ** 200n - 2n, 2n ** 200n - 2n, "too-many"],
    ]);
    expect(takeAll()).toEqual([2n ** 200n - 1n, 2n ** 200n, 2n ** 200n + 1n]);
  });

  test("putBack() gives what was taken again, in order", () => {
    const { backlog, add, takeAll, givenUp } = createBacklog({ after: 0n });
    add(3n);
    expect(takeAll()).toEqual([1n, 2n, 3n]);
    backlog.putBack(3n);
    backlog.putBack(2n);
    add(4n);
    expect(takeAll()).toEqual([2n, 3n, 4n]);
    expect(givenUp).toEqual([]);
  });

  test("putBack() gives up what a newer head has replaced", () => {
    const { backlog, add, takeAll, givenUp } = createBacklog({ isGapless: false, capacity: 1 });
    for (const newer of [6n, 10n]) {
      add(5n, true);
      expect(backlog.take()).toBe(5n);
      add(newer);
      backlog.putBack(5n);
      expect(takeAll()).toEqual([newer]);
    }
    expect(givenUp).toEqual([
      [5n, 5n, 1n, "newer"],
      [5n, 5n, 2n, "newer"],
    ]);
  });

  test("on a new chain gives up the old one and goes on from its head", () => {
    const { backlog, add, takeAll, givenUp } = createBacklog();
    add(100n);
    add(103n);
    expect(backlog.take()).toBe(100n);
    add(5n, true);
    backlog.putBack(100n);
    add(7n);
    expect(takeAll()).toEqual([5n, 6n, 7n]);
    expect(givenUp).toEqual([
      [101n, 103n, 3n, "new-chain"],
      [100n, 100n, 4n, "new-chain"],
    ]);
  });

  test("on a new chain that begins among the blocks that wait gives up none of them", () => {
    const { backlog, add, takeAll, givenUp } = createBacklog({ after: 89n });
    add(95n);
    expect(backlog.take()).toBe(90n);
    add(93n, true);
    backlog.putBack(90n);
    add(96n);
    expect(backlog.take()).toBe(90n);
    add(91n, true);
    backlog.putBack(90n);
    add(94n);
    expect(takeAll()).toEqual([90n, 91n, 92n, 93n, 94n]);
    expect(givenUp).toEqual([]);
  });

  test("change() resolves when something is added, and when it is closed", async () => {
    const { backlog, add } = createBacklog();
    const added = backlog.change();
    add(1n);
    await added;
    const closed = backlog.change();
    backlog.close();
    await closed;
    expect([backlog.isEmpty, backlog.isClosed]).toEqual([false, true]);
  });
});
