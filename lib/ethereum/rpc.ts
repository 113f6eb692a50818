import { createDeadline } from "../deadline.ts";
import { describeNetworkError } from "../network_error.ts";
import { MAX_ANSWER_BYTES, readResult, RpcError, type RpcMethod } from "./rpc_answer.ts";

/** A call of one method. */
export interface RpcCall<Result> extends RpcMethod<Result> {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls a method of a JSON-RPC 2.0 endpoint over HTTP.
 *
 * @throws {RpcError} whatever the endpoint does wrong
 */
export async function callRpc<Result>(url: string, call: RpcCall<Result>): Promise<Result> {
  const { method, params = [], timeoutMs, signal } = call;
  const id = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
  using deadline = createDeadline(timeoutMs, signal);
  const { text, ...head } = await post(url, {
    body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
    signal: deadline.signal,
  }).catch((error) => {
    if (error instanceof RpcError) throw error;
    if (deadline.isOver)
      throw new RpcError("timeout", `did not answer within ${timeoutMs / 1000} s`, { cause: error });
    throw new RpcError("unreachable", `cannot be reached: ${describeNetworkError(error)}`, { cause: error });
  });
  return readResult(text, { ...call, ...head, id });
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
  const retryAfter = response.headers.get("retry-after");
  return { status: response.status, retryAfter, text: Buffer.concat(pieces).toString() };
}
