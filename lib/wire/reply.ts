/** Why a message was refused. */
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** What the server answers to one message. */
export type Reply =
  | { readonly kind: "ok"; /** SHA-256 of the payload in lower-case hex. */ readonly hash: string }
  | {
      readonly kind: "error";
      readonly code: RefusalCode;
      /** One sentence for people. */ readonly reason: string;
    };

/** Longest reply that a client reads, in bytes. */
export const MAX_REPLY_BYTES = 4096;

const REFUSAL_CODES = [
  "malformed",
  "too-large",
  "not-utf8",
  "empty",
  "timeout",
  "busy",
  "unavailable",
] as const;

const CLOSING_CODES: readonly RefusalCode[] = ["malformed", "too-large", "timeout"];

/** Creates the reply to a message that was refused. */
export function refuse(code: RefusalCode, reason: string): Reply {
  return { kind: "error", code, reason };
}

/** Whether the server closes the connection after this reply. */
export function closesConnection(reply: Reply): boolean {
  return reply.kind === "error" && CLOSING_CODES.includes(reply.code);
}

/** Writes a reply as the text that goes into its netstring: `ok <hash>` or `error <code> <sentence>`. */
export function formatReply(reply: Reply): string {
  return reply.kind === "ok" ? `ok ${reply.hash}` : `error ${reply.code} ${reply.reason}`;
}

/**
 * Reads the text of a reply.
 *
 * @throws {SyntaxError} when it is neither an acknowledgement nor a refusal
 */
export function parseReply(text: string): Reply {
  const [, hash] = /^ok ([0-9a-f]{64})$/.exec(text) ?? [];
  if (hash !== undefined) return { kind: "ok", hash };
  const [, word, reason = ""] = /^error ([a-z0-9-]+) ?(.*)$/s.exec(text) ?? [];
  const code = REFUSAL_CODES.find((known) => known === word);
  if (code !== undefined) return { kind: "error", code, reason };
  throw new SyntaxError(
    `Cannot read reply as it must be "ok <hash>" or "error <code> <sentence>": it is "${text.slice(0, 80)}"`,
  );
}
