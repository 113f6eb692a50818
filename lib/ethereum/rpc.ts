import { z } from "zod";
import { createDeadline } from "../deadline.ts";
import { describeNetworkError } from "../network_error.ts";

/** Why an endpoint gave no usable answer. */
export type RpcErrorCode = "unreachable" | "timeout" | "http" | "malformed" | "refused";

/** An endpoint that gave no usable answer; the message reads on after the endpoint's name. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: RpcErrorCode;

  constructor(code: RpcErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A call of one method. */
export interface RpcCall<Result> {
  readonly method: string;
  readonly params?: readonly unknown[];
  /** Checks and converts the result. */
  readonly result: z.ZodType<Result>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_QUOTED_CHARACTERS = 200;

/**
 * A quantity as Ethereum's JSON-RPC writes it: `0x`, then hexadecimal digits without leading zeros (ethereum.org,
 * "JSON-RPC API", hex encoding), below 2^256.
 */
export const quantity = z
  .string()
  .regex(/^0x(0|[1-9a-f][0-9a-f]{0,63})$/i)
  .transform(BigInt);

const answerShape = z.union([
  z.object({ error: z.object({ code: z.number(), message: z.string() }) }),
  z.object({ id: z.unknown(), result: z.unknown(), error: z.null().optional() }),
]);

/**
 * Calls a method of a JSON-RPC 2.0 endpoint over HTTP.
 *
 * @throws {RpcError} whatever the endpoint does wrong
 */
export async function callRpc<Result>(url: string, call: RpcCall<Result>): Promise<Result> {
  const { method, params = [], result: shape, timeoutMs, signal } = call;
  const id = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
  using deadline = createDeadline(timeoutMs, signal);
  const { status, text } = await post(url, {
    body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
    signal: deadline.signal,
  }).catch((error) => {
    if (error instanceof RpcError) throw error;
    if (deadline.isOver)
      throw new RpcError("timeout", `did not answer within ${timeoutMs / 1000} s`, { cause: error });
    throw new RpcError("unreachable", `cannot be reached: ${describeNetworkError(error)}`, { cause: error });
  });
  const answer = answerShape.safeParse(parseJson(text)).data;
  if (answer?.error)
    throw new RpcError("refused", `answered error ${answer.error.code}: ${quote(answer.error.message)}`);
  if (status !== 200) throw new RpcError("http", `answered HTTP ${status}`);
  if (text === "") throw new RpcError("malformed", "answered with nothing");
  if (!answer) throw new RpcError("malformed", `answered what is not JSON-RPC: ${quote(text)}`);
  if (answer.id !== id) throw new RpcError("malformed", "answered another request than was made");
  const result = shape.safeParse(answer.result);
  if (!result.success) {
    throw new RpcError(
      "malformed",
      `answered ${method} with ${quote(JSON.stringify(answer.result) ?? "no result")}`,
    );
  }
  return result.data;
}

async function post(url: string, { body, signal }: { body: string; signal: AbortSignal }) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body,
    signal,
  });
  // Read in pieces, as a body may have no end.
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES)
      throw new RpcError("malformed", `answered with more than ${MAX_ANSWER_BYTES} bytes`);
    pieces.push(piece);
  }
  return { status: response.status, text: Buffer.concat(pieces).toString() };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // which fits no answer's shape
  }
}

function quote(text: string): string {
  return text.length <= MAX_QUOTED_CHARACTERS ? text : `${text.slice(0, MAX_QUOTED_CHARACTERS)}…`;
}
