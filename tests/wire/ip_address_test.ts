import { describe, expect, test } from "bun:test";
import { formatIp, parseIp } from "../../lib/wire/ip_address.ts";
import { createRandom } from "../support/random.ts";

describe("parseIp() and formatIp()", () => {
  // Right-hand sides as in RFC 5952, "A Recommendation for IPv6 Address Text Representation".
  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["::ffff:a01:203", "10.1.2.3"],
    ["64:ff9b::10.1.2.3", "64:ff9b::a01:203"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ])("read %p and write %p", (text, canonical) => {
    expect(formatIp(parseIp(text) ?? new Uint8Array())).toBe(canonical);
  });

  test.each(["", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", ":::", "1::2::3", "fe80::1%eth0", "host"])(
    "refuse %p",
    (text) => expect(parseIp(text)).toBeUndefined(),
  );

  test("give back seeded addresses of 16 bytes", () => {
    const random = createRandom(1);
    for (let round = 0; round < 2000; round++) {
      const bytes = Uint8Array.from({ length: 16 }, () => (random() < 0.6 ? 0 : random() * 256));
      bytes[0] = 0x20;
      expect(parseIp(formatIp(bytes))).toEqual(bytes);
    }
  });
});
