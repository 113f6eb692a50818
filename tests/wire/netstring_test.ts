import { describe, expect, test } from "bun:test";
import { encodeNetstring, NetstringDecoder, NetstringError } from "../../lib/wire/netstring.ts";
import { createRandom } from "../support/random.ts";

const MAX_PAYLOAD_BYTES = 65_535;

interface Decoded {
  readonly payloads: readonly string[];
  readonly error?: NetstringError["code"];
  readonly isPartial: boolean;
}

function decode(pieces: readonly Uint8Array[], maxPayloadBytes = MAX_PAYLOAD_BYTES): Decoded {
  const decoder = new NetstringDecoder({ maxPayloadBytes });
  const payloads: string[] = [];
  try {
    for (const piece of pieces) {
      for (const payload of decoder.push(piece)) payloads.push(Buffer.from(payload).toString("latin1"));
    }
  } catch (error) {
    if (!(error instanceof NetstringError)) throw error;
    return { payloads, error: error.code, isPartial: decoder.isPartial };
  }
  return { payloads, isPartial: decoder.isPartial };
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

function cutInTwo(whole: Uint8Array): Uint8Array[][] {
  return Array.from({ length: whole.length + 1 }, (_, at) => [whole.subarray(0, at), whole.subarray(at)]);
}

describe("encodeNetstring()", () => {
  test("writes the length in bytes, not in characters", () => {
    expect(Buffer.from(encodeNetstring("é")).toString()).toBe("2:é,");
  });

  test("writes an empty payload", () => {
    expect(Buffer.from(encodeNetstring("")).toString()).toBe("0:,");
  });
});

describe("NetstringDecoder", () => {
  const ACCEPTED = [
    ["5:hello,", ["hello"]],
    ["0:,", [""]],
    ["0:,0:,1:a,", ["", "", "a"]],
    ["3:1:,,2:,,,", ["1:,", ",,"]],
    ["12:hello world!,1:\0,", ["hello world!", "\0"]],
  ] as const;

  test.each(ACCEPTED)("push() reads %p whatever its cut", (text, payloads) => {
    const whole = bytes(text);
    const cuts = [...cutInTwo(whole), [...whole].map((byte) => Uint8Array.of(byte))];
    expect(cuts.length).toBeGreaterThan(3);
    for (const pieces of cuts) expect(decode(pieces)).toEqual({ payloads: [...payloads], isPartial: false });
  });

  const REFUSED = [
    ["05:hello,", "malformed"],
    ["00:,", "malformed"],
    [":,", "malformed"],
    ["-1:a,", "malformed"],
    ["+1:a,", "malformed"],
    [" 1:a,", "malformed"],
    ["1 :a,", "malformed"],
    ["0x1:a,", "malformed"],
    ["1.0:a,", "malformed"],
    ["1:ab", "malformed"],
    ["1:a;", "malformed"],
    ["hello", "malformed"],
    ["\n5:hello,", "malformed"],
    ["65536:", "too-large"],
    ["9223372036854775808:", "too-large"],
    ["9".repeat(1000), "too-large"],
  ] as const;

  test.each(REFUSED)("push() refuses %p after the message before it, whatever its cut", (text, error) => {
    const whole = bytes(`2:ok,${text}`);
    for (const pieces of cutInTwo(whole)) {
      expect(decode(pieces)).toMatchObject({ payloads: ["ok"], error });
    }
  });

  test("push() refuses a length above the limit at the digit that exceeds it", () => {
    expect(decode([bytes("65535")]).error).toBeUndefined();
    expect(decode([bytes("65536")]).error).toBe("too-large");
    expect(decode([bytes("11")], 10).error).toBe("too-large");
    expect(decode([bytes("10:0123456789,")], 10).payloads).toEqual(["0123456789"]);
  });

  test("push() reads a payload of the limit, byte by byte", () => {
    const payload = "x".repeat(MAX_PAYLOAD_BYTES);
    const whole = encodeNetstring(payload);
    expect(decode([...whole].map((byte) => Uint8Array.of(byte)))).toEqual({
      payloads: [payload],
      isPartial: false,
    });
  });

  test("isPartial tells whether a message has begun", () => {
    const states = ["", "2", "2:", "2:a", "2:ab", "2:ab,"].map((text) => decode([bytes(text)]).isPartial);
    expect(states).toEqual([false, true, true, true, true, false]);
  });

  test("push() may be read late, as long as its piece is kept", () => {
    const decoder = new NetstringDecoder({ maxPayloadBytes: 10 });
    const payloads = decoder.push(bytes("1:a,1:b,"));
    expect(String(payloads.next().value)).toBe(String(bytes("a")));
    expect(String(payloads.next().value)).toBe(String(bytes("b")));
    expect(payloads.next().done).toBe(true);
  });

  test("push() gives back what was encoded, for seeded payloads and cuts", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = createRandom(seed);
      const payloads = Array.from({ length: 1 + Math.floor(random() * 20) }, () =>
        Array.from({ length: Math.floor(random() * 700) }, () => String.fromCharCode(random() * 256)).join(
          "",
        ),
      );
      const whole = Buffer.concat(payloads.map((payload) => encodeNetstring(bytes(payload))));
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < whole.length;) {
        const length = 1 + Math.floor(random() * random() * 2000);
        pieces.push(whole.subarray(at, at + length));
        at += length;
      }
      expect(decode(pieces)).toEqual({ payloads, isPartial: false });
    }
  });
});
