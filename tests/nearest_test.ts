import { describe, expect, test } from "bun:test";
import { nearest } from "../lib/nearest.ts";

const FLAGS = ["--host", "--port", "--interval", "-v"];

describe("nearest()", () => {
  test.each([
    ["--prot", "--port"],
    ["--pot", "--port"],
    ["--ports", "--port"],
    ["--intervall", "--interval"],
    ["--intreval", "--interval"],
    ["--completely", undefined],
    ["-x", undefined],
    ["", undefined],
  ] as const)("of %p is %p", (word, candidate) => {
    expect(nearest(word, FLAGS)).toBe(candidate as string);
  });
});
