import { FailureRun } from "../failure_run.ts";
import type { Log } from "../log.ts";
import { createBackoff, type Backoff } from "../retry.ts";
import { RpcError, type RpcErrorCode } from "./rpc_answer.ts";

/** One JSON-RPC endpoint and how it fares. */
export interface Endpoint {
  readonly url: string;
  /** Host and port alone: paths, queries and user info carry keys, which stay out of logs. */
  readonly name: string;
  /** Whether it is asked over WebSocket. */
  readonly isSocket: boolean;
  readonly failures: FailureRun;
  readonly backoff: Backoff;
  /** Whether it has failed since it last told a head. */
  isFailing: boolean;
  /** Whether its chain is known to be the right one. */
  isOnChain: boolean;
  /** Monotonic time before which it is not asked again, in milliseconds. */
  benchedUntilMs: number;
  /** The block number that it told last. */
  head: bigint | undefined;
}

/** Options of {@linkcode Endpoints}. */
export interface EndpointsOptions {
  readonly urls: readonly string[];
  /** The chain that every endpoint must be on; without it, the first one that tells its chain decides. */
  readonly chainId?: bigint | undefined;
  readonly log: Log;
  /** Called when the last endpoint that answered has failed too. */
  readonly onSilence: () => void;
  /** Told each time that an endpoint, by its name, gives no usable answer. */
  readonly onRpcError?:
    ((error: { readonly endpoint: string; readonly code: RpcErrorCode }) => void) | undefined;
}

/** Blocks that an endpoint may be behind another one. */
const MAX_LAG = 3n;
/** Parts of an address shorter than this are not taken for a key. */
const MIN_SECRET_CHARACTERS = 4;
const MAX_QUOTED_CHARACTERS = 240;

/**
 * Endpoints that stand in for each other, and their health: one that fails, lags or asks for fewer requests is
 * benched, left alone for a while, longer each time.
 */
export class Endpoints {
  /** Those asked over WebSocket. */
  readonly sockets: readonly Endpoint[];
  readonly #onSilence: () => void;
  readonly #onRpcError: EndpointsOptions["onRpcError"];
  #chainId: bigint | undefined;
  #isSilent = false;
  /** Those asked over HTTP, the last one that answered first. */
  #polled: readonly Endpoint[];

  constructor({ urls, chainId, log, onSilence, onRpcError }: EndpointsOptions) {
    this.#chainId = chainId;
    this.#onSilence = onSilence;
    this.#onRpcError = onRpcError;
    const endpoints = urls.map((url) => createEndpoint(url, log));
    this.sockets = endpoints.filter(({ isSocket }) => isSocket);
    this.#polled = endpoints.filter(({ isSocket }) => !isSocket);
  }

  /** Those asked over HTTP, the last one that answered first. */
  get polled(): readonly Endpoint[] {
    return this.#polled;
  }

  /** Runs what an endpoint is asked for; resolves to nothing when it failed, after which it is benched. */
  async use<Value>(
    endpoint: Endpoint,
    { ask, signal }: { readonly ask: () => Promise<Value>; readonly signal: AbortSignal },
  ): Promise<Value | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (!signal.aborted) this.#bench(endpoint, error);
      return undefined;
    }
  }

  /**
   * Checks, once for each endpoint, that it is on the same chain as the others.
   *
   * @throws {RpcError} when it is not, or what `askChainId` throws
   */
  async checkChain(endpoint: Endpoint, askChainId: () => Promise<bigint>): Promise<void> {
    if (endpoint.isOnChain) return;
    const chainId = await askChainId();
    this.#chainId ??= chainId;
    if (chainId !== this.#chainId)
      throw new RpcError("wrong-chain", `is refused: it is on chain ${chainId} instead of ${this.#chainId}`);
    endpoint.isOnChain = true;
  }

  /** Whether a number is too far behind the best head that the other endpoints told. */
  isLagging(endpoint: Endpoint, number: bigint): boolean {
    return [...this.sockets, ...this.#polled].some(
      (other) =>
        other !== endpoint && !other.isFailing && other.head !== undefined && other.head - number > MAX_LAG,
    );
  }

  /**
   * Notes the head that an endpoint told.
   *
   * @throws {RpcError} when it lags
   */
  noteHead(endpoint: Endpoint, number: bigint): void {
    if (this.isLagging(endpoint, number))
      throw new RpcError("lagging", `lags more than ${MAX_LAG} blocks behind the others`);
    endpoint.head = number;
    endpoint.isFailing = false;
    this.#isSilent = false;
  }

  /** Notes that an endpoint does what is asked of it. */
  noteSuccess(endpoint: Endpoint): void {
    endpoint.failures.recovered(`The endpoint ${endpoint.name} answers again`);
    endpoint.backoff.reset();
    if (endpoint.isSocket || this.#polled[0] === endpoint) return;
    this.#polled = [endpoint, ...this.#polled.filter((other) => other !== endpoint)];
  }

  #bench(endpoint: Endpoint, { code, message, retryAfterMs }: RpcError): void {
    this.#onRpcError?.({ endpoint: endpoint.name, code });
    endpoint.failures.report(`The endpoint ${endpoint.name} ${shorten(hideSecrets(message, endpoint.url))}`);
    endpoint.benchedUntilMs = performance.now() + (retryAfterMs ?? endpoint.backoff.next());
    endpoint.isFailing = true;
    const all = [...this.sockets, ...this.#polled];
    if (this.#isSilent || all.some(({ isFailing }) => !isFailing)) return;
    this.#isSilent = true;
    this.#onSilence();
  }
}

/** How long an endpoint is still benched, in milliseconds. */
export function benchedMs({ benchedUntilMs }: Endpoint): number {
  return Math.max(0, benchedUntilMs - performance.now());
}

function createEndpoint(url: string, log: Log): Endpoint {
  const { host, protocol } = new URL(url);
  const isSocket = protocol.startsWith("ws");
  return {
    url,
    name: isSocket ? `${host} (WebSocket)` : host,
    isSocket,
    failures: new FailureRun(log),
    backoff: createBackoff(),
    isFailing: false,
    isOnChain: false,
    benchedUntilMs: 0,
    head: undefined,
  };
}

/** Takes the parts of an address that may be a key out of a text, as endpoints quote them in their errors. */
function hideSecrets(text: string, url: string): string {
  const { username, password, pathname, search } = new URL(url);
  const values = search
    .slice(1)
    .split("&")
    .map((pair) => pair.slice(pair.indexOf("=") + 1));
  const parts = [username, password, ...pathname.split("/"), ...values];
  return parts
    .flatMap((part) => [part, decode(part)])
    .filter((secret) => secret.length >= MIN_SECRET_CHARACTERS)
    .toSorted((one, other) => other.length - one.length)
    .reduce((hidden, secret) => hidden.replaceAll(secret, "…"), text);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a percent sign that stands for itself
  }
}

function shorten(text: string): string {
  return text.length <= MAX_QUOTED_CHARACTERS ? text : `${text.slice(0, MAX_QUOTED_CHARACTERS)}…`;
}
