import { describe, expect, test } from "bun:test";
import { formatAddress, printable } from "../lib/printable.ts";
import { createRandom } from "./support/random.ts";

describe("printable()", () => {
  test("shows every control character and leaves all others", () => {
    const codes = Array.from({ length: 0x100 }, (_, code) => code);
    const shown = codes.map((code) => printable(String.fromCharCode(code)));
    const expected = codes.map((code) => {
      if (code === 0x0a) return "\\n";
      const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
      return isControl ? `\\x${code.toString(16).padStart(2, "0")}` : String.fromCharCode(code);
    });
    expect(shown).toEqual(expected);
  });

  test("shows seeded texts as each of their characters by itself", () => {
    const random = createRandom(3);
    const pool = [
      "\n",
      "\u001b",
      "\u007f",
      "\u0080",
      "\u009f",
      "\u00a0",
      "\u00c2",
      "é",
      "€",
      "\u{1f600}",
      "a",
      "\\",
      "\u2028",
    ];
    for (let round = 0; round < 2000; round++) {
      const characters = Array.from({ length: 12 }, () => pool[Math.floor(random() * pool.length)] ?? "");
      expect(printable(characters.join(""))).toBe(characters.map((one) => printable(one)).join(""));
    }
  });

  test("keeps what is written in several bytes", () => {
    expect(printable("é€\u{1f600}\ufeff")).toBe("é€\u{1f600}\ufeff");
  });
});

describe("formatAddress()", () => {
  test("puts IPv6 addresses in brackets", () => {
    const addresses = ["127.0.0.1", "::1", "localhost"].map((ip) => formatAddress({ ip, port: 1 }));
    expect(addresses).toEqual(["127.0.0.1:1", "[::1]:1", "localhost:1"]);
  });
});
