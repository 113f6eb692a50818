import { describe, expect, test } from "bun:test";
import { parseBlockNumber, renderBlockPage } from "../lib/block_page.ts";

// Recorded from the older implementations, which hash their own pages to the same values.
const RECORDED = [
  [0n, 447, "eef07d95574204b4dae2661f23ca58c63433a7e7d3e54174e3251f9fb07341ac"],
  [1n, 447, "ee8a5e33445b39d9185923ec642ce8a29bf004bab2a0b701a1b34a87acb1c1f5"],
  [4361534n, 453, "1835b1c68627f50f93cc61aa7c626ae75eea8c584a597d91f84d2e7ff4ff5f61"],
  [18000000n, 454, "9e1bef5a97087ef75ce76c6986505c6b67e4d2ce4420e242b9054d9320bff39e"],
] as const;

describe("renderBlockPage()", () => {
  test.each(RECORDED)("renders block %p to the bytes of the older implementations", (number, bytes, hash) => {
    const page = renderBlockPage(number);
    expect({ bytes: Buffer.byteLength(page), hash: Bun.SHA256.hash(page, "hex") }).toEqual({ bytes, hash });
  });

  test("renders a number beyond 2^53 in full", () => {
    expect(renderBlockPage(2n ** 256n - 1n)).toContain(
      "<p>115792089237316195423570985008687907853269984665640564039457584007913129639935</p>",
    );
  });
});

describe("parseBlockNumber()", () => {
  test.each([0n, 7n, 18_000_000n, 2n ** 53n + 1n, 2n ** 256n - 1n])("reads block %p back", (number) => {
    expect(parseBlockNumber(renderBlockPage(number))).toBe(number);
  });

  const page = renderBlockPage(18n);
  test.each([
    "",
    "18",
    page.replace("18", ""),
    page.replace("18", "018"),
    page.replace("18", "-18"),
    page.replace("18", "1<b>8"),
    page.replace("18", "9".repeat(79)),
    `${page}\n`,
    page.slice(1),
    page.slice(0, -1),
  ])("finds none in what is no block page: %p", (text) => {
    expect(parseBlockNumber(text)).toBeUndefined();
  });
});
