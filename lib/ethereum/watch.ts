import type { Log } from "../log.ts";
import { sleep } from "../retry.ts";
import { Endpoints, type EndpointsOptions } from "./endpoints.ts";
import { Head } from "./head.ts";
import { callRpc, quantity } from "./rpc.ts";

/** Options of {@linkcode watchHead}. */
export interface WatchOptions {
  /** JSON-RPC endpoints that stand in for each other. */
  readonly urls: readonly string[];
  /** From the start of one poll to the start of the next. */
  readonly intervalMs: number;
  readonly rpcTimeoutMs: number;
  /** Called when no endpoint answers any more. */
  readonly onSilence?: () => void;
  readonly log: Log;
  /** Told each time that an endpoint gives no usable answer. */
  readonly onRpcError?: EndpointsOptions["onError"];
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/**
 * Watches the head of the chain: yields each new block number, the first one at once.
 *
 * Never throws because of what an endpoint does. While none answers, it goes on asking, less and less often.
 * Take the numbers without delay, as the next poll waits for it.
 */
export async function* watchHead(options: WatchOptions): AsyncGenerator<bigint, void, void> {
  const { urls, intervalMs, rpcTimeoutMs: timeoutMs, onSilence, onRpcError: onError, log, signal } = options;
  const endpoints = new Endpoints({ urls, log, onError });
  const head = new Head();
  let isSilent = false;
  for (let pollAt = performance.now(); !signal.aborted;) {
    const number = await askBlockNumber(endpoints, { timeoutMs, signal });
    if (signal.aborted) return;
    if (number === undefined) {
      if (!isSilent) {
        log.error(`No endpoint answers; asking ${urls.length === 1 ? "it" : "them"} again and again`);
        onSilence?.();
      }
      isSilent = true;
      await sleep(endpoints.waitMs, signal);
      pollAt = performance.now();
      continue;
    }
    isSilent = false;
    const change = head.observe(number);
    if (change === "new-chain") log.warn(`The chain has begun anew at block ${number}`);
    if (change !== "none") yield number;
    // On the grid of the first poll, so that slow answers make no drift; a poll that was missed is not made up for.
    const now = performance.now();
    pollAt += intervalMs * Math.max(1, Math.ceil((now - pollAt) / intervalMs));
    await sleep(pollAt - now, signal);
  }
}

/** Asks for the current block number once; resolves to nothing when no endpoint gave it. */
export async function readHead({ urls, rpcTimeoutMs, log, signal }: Omit<WatchOptions, "intervalMs">) {
  return askBlockNumber(new Endpoints({ urls, log }), { timeoutMs: rpcTimeoutMs, signal });
}

function askBlockNumber(
  endpoints: Endpoints,
  call: { readonly timeoutMs: number; readonly signal: AbortSignal },
) {
  return endpoints.ask((url) => callRpc(url, { method: "eth_blockNumber", result: quantity, ...call }), call);
}
