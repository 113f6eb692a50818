import { describe, expect, test } from "bun:test";
import { closesConnection, formatReply, parseReply, refuse, type Reply } from "../../lib/wire/reply.ts";

const HASH = "0123456789abcdef".repeat(4);

const REPLIES: readonly (readonly [text: string, reply: Reply, closes: boolean])[] = [
  [`ok ${HASH}`, { kind: "ok", hash: HASH }, false],
  ["error malformed Cannot read it", refuse("malformed", "Cannot read it"), true],
  ["error too-large Cannot take it", refuse("too-large", "Cannot take it"), true],
  ["error timeout Cannot wait", refuse("timeout", "Cannot wait"), true],
  ["error not-utf8 Cannot store it", refuse("not-utf8", "Cannot store it"), false],
  ["error empty Cannot store it", refuse("empty", "Cannot store it"), false],
  ["error busy Cannot take more", refuse("busy", "Cannot take more"), false],
  ["error unavailable Two\nlines", refuse("unavailable", "Two\nlines"), false],
];

describe("a reply", () => {
  test("of each kind is listed", () => expect(REPLIES.length).toBe(8));

  test.each(REPLIES)("%p is written and read back", (text, reply) => {
    expect({ text: formatReply(reply), reply: parseReply(text) }).toEqual({ text, reply });
  });

  test.each(REPLIES)("%p closes the connection or not", (_, reply, closes) => {
    expect(closesConnection(reply)).toBe(closes);
  });
});

describe("parseReply()", () => {
  test("takes a refusal without a sentence", () => {
    expect(parseReply("error busy")).toEqual(refuse("busy", ""));
  });

  test.each([
    "",
    "ok",
    "ok ",
    `OK ${HASH}`,
    `ok ${HASH} `,
    `ok ${HASH}\n`,
    `ok ${HASH.toUpperCase()}`,
    `ok ${HASH.slice(1)}`,
    "error",
    "error ",
    "error unknown Something",
    "HTTP/1.1 400 Bad Request",
  ])("refuses %p", (text) => {
    expect(() => parseReply(text)).toThrow(SyntaxError);
  });
});
