import { describe, expect, test } from "bun:test";
import { blockNumberMethod, readResult, readRetryAfter, RpcError } from "../../lib/ethereum/rpc_answer.ts";

const NOW_MS = Date.parse("2026-01-01T00:00:00Z");

function failureOf(text: string, context: { status?: number; retryAfter?: string } = {}): RpcError {
  try {
    readResult(text, { ...blockNumberMethod, id: 1, ...context });
  } catch (error) {
    if (error instanceof RpcError) return error;
  }
  throw new Error("Expected an RpcError");
}

describe("readResult()", () => {
  const errorBody = (code: number, message: string) =>
    JSON.stringify({ jsonrpc: "2.0", id: 1, error: { code, message } });

  test.each([
    ["in the status", "slow down", 429],
    ["in the status and the body", errorBody(-32005, "limit exceeded"), 429],
    ["in the body by its code", errorBody(429, "no"), 200],
    ["in the body by the code of EIP-1474", errorBody(-32005, "no"), 200],
    ["in the body by its words", errorBody(-32000, "Too Many Requests"), 200],
    ["in the body by other words", errorBody(-32000, "rate limit reached"), 200],
  ])("knows a rate limit %s", (_, text, status) => {
    const { code, retryAfterMs } = failureOf(text, { status, retryAfter: "7" });
    expect({ code, retryAfterMs }).toEqual({ code: "rate-limited", retryAfterMs: 7000 });
  });

  test("takes other errors for none", () => {
    expect(failureOf(errorBody(-32000, "no head yet"), { retryAfter: "7" })).toMatchObject({
      code: "refused",
      retryAfterMs: undefined,
    });
  });
});

describe("readRetryAfter()", () => {
  test.each([
    ["7", 7000],
    ["0", undefined],
    ["Thu, 01 Jan 2026 00:00:20 GMT", 20_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", undefined],
    ["86400", 300_000],
    ["Fri, 01 Jan 2027 00:00:00 GMT", 300_000],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
  ])("reads %p as %p", (header, ms) => {
    expect(readRetryAfter(header, NOW_MS)).toBe(ms as number);
  });
});
