import { describe, expect, test } from "bun:test";
import { contains, parseCidr } from "../../lib/wire/cidr.ts";

function isIn(range: string, ip: string): boolean | undefined {
  const cidr = parseCidr(range);
  return cidr && contains(cidr, ip);
}

describe("contains()", () => {
  test.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["192.168.4.0/22", "192.168.7.255", true],
    ["192.168.4.0/22", "192.168.8.0", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["10.1.2.3/31", "10.1.2.2", true],
    ["0.0.0.0/0", "8.8.8.8", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "10.0.0.1", false],
    ["::/0", "2001:db8::1", true],
    ["fd00::/8", "fdff:1::1", true],
    ["fd00::/8", "fe00::1", false],
    ["2001:db8:8000::/33", "2001:db8:ffff::", true],
    ["2001:db8:8000::/33", "2001:db8:7fff::", false],
    ["127.0.0.1", "::ffff:127.0.0.1", true],
    ["10.0.0.0/8", "nonsense", false],
  ])("%p holds %p: %p", (range, ip, expected) => {
    expect(isIn(range, ip)).toBe(expected);
  });
});

describe("parseCidr()", () => {
  test.each([
    "",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "::/129",
    "10/8",
    "a/8",
    "1.1.1.1/8/8",
  ])("refuses %p", (text) => expect(parseCidr(text)).toBeUndefined());
});
