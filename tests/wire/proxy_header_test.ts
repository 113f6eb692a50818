import { describe, expect, test } from "bun:test";
import { ProxyHeaderError, ProxyHeaderParser } from "../../lib/wire/proxy_header.ts";
import { addresses, extension, headerV2 } from "../support/proxy_header.ts";
import { createRandom } from "../support/random.ts";

const FOUR = [203, 0, 113, 7];
const SIX = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x99];
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...FOUR];
/** Far more than a balancer sends. */
const LONG_EXTENSION = extension(
  0x20,
  Array.from({ length: 60_000 }, () => 0x0a),
);

interface Parsed {
  readonly source?: { readonly ip: string; readonly port: number } | undefined;
  readonly rest?: string;
  readonly error?: true;
}

/** Feeds pieces to a parser as a connection does: what comes behind the header goes elsewhere. */
function parse(pieces: readonly Uint8Array[]): Parsed {
  const parser = new ProxyHeaderParser();
  let rest = "";
  let source: Parsed["source"] | null = null;
  try {
    for (const piece of pieces) {
      if (source !== null) {
        rest += Buffer.from(piece).toString("latin1");
        continue;
      }
      const header = parser.push(piece);
      if (!header) continue;
      source = header.source;
      rest = Buffer.from(header.rest).toString("latin1");
    }
  } catch (error) {
    if (!(error instanceof ProxyHeaderError)) throw error;
    return { error: true };
  }
  return source === null ? {} : { source, rest };
}

/** Every way to cut in two, of a long one the first and some of the others, and byte by byte. */
function cuts(whole: Uint8Array): Uint8Array[][] {
  const inTwo = Array.from({ length: whole.length + 1 }, (_, at) => [
    whole.subarray(0, at),
    whole.subarray(at),
  ]);
  const few = inTwo.filter((_, at) => at < 300 || at % 997 === 0);
  return [...few, [...whole].map((byte) => Uint8Array.of(byte))];
}

const ACCEPTED: readonly (readonly [name: string, header: Uint8Array, source: Parsed["source"]])[] = [
  [
    "version 1, IPv4",
    Buffer.from("PROXY TCP4 203.0.113.7 10.0.0.1 56324 9999\r\n"),
    { ip: "203.0.113.7", port: 56_324 },
  ],
  [
    "version 1, IPv6",
    Buffer.from("PROXY TCP6 2001:DB8:0::99 ::1 1 65535\r\n"),
    { ip: "2001:db8::99", port: 1 },
  ],
  [
    "version 1, IPv4 in IPv6 form",
    Buffer.from("PROXY TCP6 ::ffff:203.0.113.7 ::1 5 6\r\n"),
    { ip: "203.0.113.7", port: 5 },
  ],
  ["version 1, unknown", Buffer.from("PROXY UNKNOWN\r\n"), undefined],
  [
    "version 1, unknown with addresses",
    Buffer.from("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"),
    undefined,
  ],
  ["version 2, IPv4", headerV2({ body: addresses(FOUR, 56_324) }), { ip: "203.0.113.7", port: 56_324 }],
  [
    "version 2, IPv6",
    headerV2({ family: 0x21, body: addresses(SIX, 443) }),
    { ip: "2001:db8::99", port: 443 },
  ],
  [
    "version 2, IPv4 in IPv6 form",
    headerV2({ family: 0x21, body: addresses(MAPPED, 7) }),
    { ip: "203.0.113.7", port: 7 },
  ],
  [
    "version 2 with extensions",
    headerV2({ body: [...addresses(FOUR, 1), ...extension(0x02, [1, 2, 3]), ...extension(0x04, [])] }),
    { ip: "203.0.113.7", port: 1 },
  ],
  [
    "version 2 with a long extension",
    headerV2({ body: [...addresses(FOUR, 1), ...LONG_EXTENSION] }),
    { ip: "203.0.113.7", port: 1 },
  ],
  [
    "version 2 with an extension that lies about its length",
    headerV2({ body: [...addresses(FOUR, 1), 0x01, 0xff, 0xff] }),
    { ip: "203.0.113.7", port: 1 },
  ],
  ["version 2, local", headerV2({ command: 0x20, family: 0x00 }), undefined],
  ["version 2, local with addresses", headerV2({ command: 0x20, body: addresses(FOUR, 1) }), undefined],
  [
    "version 2, local with an unknown family",
    headerV2({ command: 0x20, family: 0xff, body: [1, 2] }),
    undefined,
  ],
  ["version 2, unspecified", headerV2({ family: 0x00 }), undefined],
  [
    "version 2, unspecified with an extension",
    headerV2({ family: 0x00, body: extension(0x05, [9, 9]) }),
    undefined,
  ],
  [
    "version 2, a Unix socket",
    headerV2({ family: 0x31, body: Array.from({ length: 216 }, () => 0x2f) }),
    undefined,
  ],
];

const REFUSED: readonly (readonly [name: string, header: Uint8Array])[] = [
  ["a message without a header", Buffer.from("5:hello,")],
  ["another word", Buffer.from("PROXX TCP4 1.2.3.4 1.2.3.4 1 2\r\n")],
  ["lower case", Buffer.from("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n")],
  ["version 1 without a carriage return", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n")],
  ["version 1 with a second space", Buffer.from("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n")],
  ["version 1 with an octet too large", Buffer.from("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n")],
  ["version 1 with a leading zero in a port", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n")],
  ["version 1 with a port too large", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n")],
  ["version 1 with the wrong family", Buffer.from("PROXY TCP4 ::1 ::1 1 2\r\n")],
  ["version 1 with an unknown family", Buffer.from("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n")],
  ["version 1 with a name", Buffer.from("PROXY TCP4 localhost 1.2.3.4 1 2\r\n")],
  ["version 1 with a zone", Buffer.from("PROXY TCP6 fe80::1%1 ::1 1 2\r\n")],
  ["version 1 with something behind the ports", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n")],
  ["version 1 with a line hidden in it", Buffer.from("PROXY UNKNOWN \rDATA\r\n")],
  ["a line without an end", Buffer.from(`PROXY UNKNOWN ${"x".repeat(200)}\r\n`)],
  [
    "version 2 with another signature",
    Buffer.from(headerV2({}).map((byte, at) => (at === 11 ? 0x0b : byte))),
  ],
  ["version 3", headerV2({ command: 0x31, body: addresses(FOUR, 1) })],
  ["version 2 with an unknown command", headerV2({ command: 0x22, body: addresses(FOUR, 1) })],
  ["version 2 over UDP", headerV2({ family: 0x12, body: addresses(FOUR, 1) })],
  ["version 2 with an unknown family", headerV2({ family: 0x41, body: addresses(FOUR, 1) })],
  ["version 2 with room for no address", headerV2({ body: addresses(FOUR, 1).slice(1) })],
  ["version 2 over IPv6 with room for IPv4", headerV2({ family: 0x21, body: addresses(FOUR, 1) })],
];

describe("ProxyHeaderParser", () => {
  test.each(ACCEPTED)("push() reads %s, whatever its cut", (_, header, source) => {
    const whole = Buffer.concat([header, Buffer.from("5:hello,")]);
    for (const pieces of cuts(whole)) expect(parse(pieces)).toEqual({ source, rest: "5:hello," });
  });

  test.each(ACCEPTED)("push() waits for the end of %s", (_, header) => {
    for (let length = 0; length < Math.min(header.length, 300); length++)
      expect(parse([header.subarray(0, length)])).toEqual({});
  });

  test.each(REFUSED)("push() refuses %s, whatever its cut", (_, header) => {
    for (const pieces of cuts(header)) expect(parse(pieces)).toEqual({ error: true });
  });

  test("push() refuses what is no header at its first byte", () => {
    for (let byte = 0; byte < 256; byte++) {
      const expected = byte === 0x50 || byte === 0x0d ? {} : { error: true as const };
      expect(parse([Uint8Array.of(byte)])).toEqual(expected);
    }
  });

  test("push() ends in a header, a refusal or a wait for more, for 20,000 seeded mutations", () => {
    const random = createRandom(2024);
    const pick = (below: number) => Math.floor(random() * below);
    const ends = { header: 0, refusal: 0, wait: 0 };
    const short = ACCEPTED.filter(([, header]) => header.length < 1000);
    expect(short.length).toBeGreaterThan(10);
    for (let round = 0; round < 20_000; round++) {
      const bytes = [...(short[pick(short.length)]?.[1] ?? [])];
      for (let change = pick(3); change >= 0; change--) {
        const at = pick(bytes.length);
        if (random() < 0.6) bytes[at] = pick(256);
        else if (random() < 0.5) bytes.splice(at, 1 + pick(4));
        else bytes.splice(at, 0, ...Array.from({ length: pick(8) }, () => pick(256)));
      }
      const whole = Uint8Array.from(bytes);
      const cut = pick(whole.length + 1);
      const parsed = parse([whole]);
      expect(parse([whole.subarray(0, cut), whole.subarray(cut)])).toEqual(parsed);
      if (parsed.error) ends.refusal++;
      else if (parsed.rest === undefined) ends.wait++;
      else ends.header++;
      const { ip, port = 0 } = parsed.source ?? {};
      if (ip !== undefined)
        expect({ ip: /^[0-9a-f.:]+$/.test(ip), port: port <= 65_535 }).toEqual({ ip: true, port: true });
    }
    expect(Math.min(...Object.values(ends))).toBeGreaterThan(500);
  });
});
