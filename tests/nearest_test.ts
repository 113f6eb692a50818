import { describe, expect, test } from "bun:test";
import { nearest } from "../lib/nearest.ts";

const FLAGS = ["--host", "--port", "--interval", "-v", "size"];

describe("nearest()", () => {
  test.each([
    ["--prot", "--port"],
    ["--pot", "--port"],
    ["--ports", "--port"],
    ["szie", "size"],
    ["isze", "size"],
    ["--intervall", "--interval"],
    ["--intreval", "--interval"],
    ["--completely", undefined],
    ["-x", undefined],
    ["", undefined],
  ] as const)("of %p is %p", (word, candidate) => {
    expect(nearest(word, FLAGS)).toBe(candidate as string);
  });
});
