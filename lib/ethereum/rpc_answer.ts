import { z } from "zod";

/** Why an endpoint is of no use for now. */
export type RpcErrorCode =
  | "unreachable"
  | "timeout"
  | "http"
  | "malformed"
  | "refused"
  | "rate-limited"
  | "closed"
  | "stalled"
  | "lagging"
  | "wrong-chain";

/** An endpoint that is of no use for now; the message reads on after its name, and may quote all of what it answered. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: RpcErrorCode;
  /** How long the endpoint asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: RpcErrorCode,
    message: string,
    { retryAfterMs, ...options }: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a method is asked for and how its result is read. */
export interface RpcMethod<Result> {
  readonly method: string;
  readonly params?: readonly unknown[];
  /** Checks and converts the result. */
  readonly result: z.ZodType<Result>;
}

/** Largest answer that is read, in bytes. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

const HTTP_TOO_MANY_REQUESTS = 429;
/** "Limit exceeded" (EIP-1474, "Remote procedure call specification", error codes). */
const LIMIT_EXCEEDED = -32005;
const MAX_RETRY_AFTER_MS = 5 * 60_000;

/**
 * A quantity as Ethereum's JSON-RPC writes it: `0x`, then hexadecimal digits without leading zeros (ethereum.org,
 * "JSON-RPC API", hex encoding), below 2^256.
 */
export const quantity = z
  .string()
  .regex(/^0x(0|[1-9a-f][0-9a-f]{0,63})$/i)
  .transform(BigInt);

/** The current block number. */
export const blockNumberMethod: RpcMethod<bigint> = { method: "eth_blockNumber", result: quantity };
/** The id of the chain (EIP-695). */
export const chainIdMethod: RpcMethod<bigint> = { method: "eth_chainId", result: quantity };

const answerShape = z.union([
  z.object({ error: z.object({ code: z.number(), message: z.string() }) }),
  z.object({ id: z.unknown(), result: z.unknown(), error: z.null().optional() }),
]);

/** An answer as it came, and what it must fit. */
export interface AnswerContext<Result> extends RpcMethod<Result> {
  readonly id: number;
  /** HTTP status it came with. @default {200} */
  readonly status?: number;
  /** `Retry-After` header it came with. */
  readonly retryAfter?: string | null;
}

/**
 * Reads the result out of a JSON-RPC 2.0 answer.
 *
 * @throws {RpcError} when there is none that fits
 */
export function readResult<Result>(text: string, context: AnswerContext<Result>): Result {
  const { id, method, result: shape, status = 200, retryAfter } = context;
  const answer = answerShape.safeParse(parseJson(text)).data;
  const isLimited = status === HTTP_TOO_MANY_REQUESTS || (answer?.error && isRateLimit(answer.error));
  const rest = isLimited ? { retryAfterMs: readRetryAfter(retryAfter, Date.now()) } : {};
  if (answer?.error) {
    const { code, message } = answer.error;
    throw new RpcError(isLimited ? "rate-limited" : "refused", `answered error ${code}: ${message}`, rest);
  }
  if (status !== 200)
    throw new RpcError(isLimited ? "rate-limited" : "http", `answered HTTP ${status}`, rest);
  if (text === "") throw new RpcError("malformed", "answered with nothing");
  if (!answer) throw new RpcError("malformed", `answered what is not JSON-RPC: ${text}`);
  if (answer.id !== id) throw new RpcError("malformed", "answered another request than was made");
  const result = shape.safeParse(answer.result);
  if (result.success) return result.data;
  throw new RpcError("malformed", `answered ${method} with ${JSON.stringify(answer.result) ?? "no result"}`);
}

/**
 * Reads a `Retry-After` header, seconds or a date (RFC 9110, 10.2.3), as a time from now in milliseconds, at most
 * five minutes; one that is absent, unreadable or over gives nothing.
 */
export function readRetryAfter(header: string | null | undefined, nowMs: number): number | undefined {
  if (!header) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined;
}

/** Parses a text as JSON; what is none gives nothing. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // which fits no shape
  }
}

function isRateLimit({ code, message }: { code: number; message: string }): boolean {
  return (
    code === HTTP_TOO_MANY_REQUESTS ||
    code === LIMIT_EXCEEDED ||
    /rate.?limit|too many requests/i.test(message)
  );
}
