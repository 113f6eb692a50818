import type { Log } from "../log.ts";
import { sleep } from "../retry.ts";
import { BlockTime } from "./block_time.ts";
import { benchedMs, Endpoints, type Endpoint, type EndpointsOptions } from "./endpoints.ts";
import { Head } from "./head.ts";
import { nextOnGrid } from "./poll_grid.ts";
import { callRpc } from "./rpc.ts";
import { blockNumberMethod, chainIdMethod, RpcError, type RpcMethod } from "./rpc_answer.ts";
import { openSubscription } from "./subscription.ts";

/** A block number that was not seen before. */
export interface SeenHead {
  readonly number: bigint;
  /** Whether the chain has begun anew, so that lower numbers than before come again. */
  readonly isNewChain: boolean;
  /** Name of the endpoint that told it first. */
  readonly endpoint: string;
}

/** Options of {@linkcode watchHeads}. */
export interface WatchOptions {
  /** JSON-RPC endpoints that stand in for each other: `ws:` and `wss:` are subscribed to, `http:` and `https:` polled. */
  readonly urls: readonly string[];
  /** From the start of one poll to the start of the next. */
  readonly intervalMs: number;
  readonly rpcTimeoutMs: number;
  /** Silence after which a subscription is checked. @default {three learnt block times} */
  readonly stallTimeoutMs?: number | undefined;
  /** The chain that every endpoint must be on. @default {the first endpoint's} */
  readonly chainId?: bigint | undefined;
  /** Block number that is not new any more. */
  readonly after?: bigint | undefined;
  /** Takes each new head, the first one at once. */
  readonly onHead: (head: SeenHead) => void;
  /** Called when no endpoint answers any more. */
  readonly onSilence?: () => void;
  /** Told each time that an endpoint gives no usable answer. */
  readonly onRpcError?: EndpointsOptions["onRpcError"];
  readonly log: Log;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

const STALL_BLOCKS = 3;
/** Never checked sooner than this, however fast the blocks are. */
const MIN_STALL_TIMEOUT_MS = 1000;
/** How long an announcement may come behind the answer to a poll. */
const ANNOUNCEMENT_GRACE_MS = 500;
/** Of so many polls one asks every endpoint, which shows the ones that lag. */
const POLLS_PER_SURVEY = 8;

/**
 * Watches the head of the chain until the signal is aborted.
 *
 * Every `ws:` endpoint is subscribed to; while none of the subscriptions is up, the others are polled. Whoever tells a
 * number first wins: each is told on once, in ascending order. Never throws because of what an endpoint does.
 */
export async function watchHeads(options: WatchOptions): Promise<void> {
  const watch = new Watch(options);
  await Promise.all([watch.poll(), ...watch.endpoints.sockets.map((endpoint) => watch.subscribe(endpoint))]);
}

/** Resolves to the current block number, or to nothing when no endpoint tells it. */
export async function readHead(
  options: Omit<WatchOptions, "onHead" | "onSilence" | "after">,
): Promise<bigint | undefined> {
  const done = new AbortController();
  const stop = () => done.abort();
  options.signal.addEventListener("abort", stop, { once: true });
  if (options.signal.aborted) stop();
  let read: bigint | undefined;
  const onHead = ({ number }: SeenHead) => {
    read = number;
    stop();
  };
  await watchHeads({ ...options, signal: done.signal, onHead, onSilence: stop });
  options.signal.removeEventListener("abort", stop);
  return read;
}

class Watch {
  readonly endpoints: Endpoints;
  readonly #options: WatchOptions;
  readonly #head: Head;
  readonly #blockTime = new BlockTime();
  /** Endpoints whose subscription is up. */
  readonly #live = new Set<Endpoint>();

  constructor(options: WatchOptions) {
    const { onSilence = () => {} } = options;
    this.#options = options;
    this.#head = new Head(options.after);
    this.endpoints = new Endpoints({ ...options, onSilence });
  }

  /** Polls while no subscription is up. */
  async poll(): Promise<void> {
    const { intervalMs, signal } = this.#options;
    if (this.endpoints.polled.length === 0) return;
    let pollAt = performance.now();
    for (let polls = 1; !signal.aborted; polls++) {
      const isSurvey = polls % POLLS_PER_SURVEY === 0;
      if (isSurvey || this.#live.size === 0) await this.#askPolled(isSurvey);
      if (this.#live.size === 0 && this.endpoints.polled.every(({ isFailing }) => isFailing)) {
        await sleep(Math.min(...this.endpoints.polled.map(benchedMs)), signal);
        pollAt = performance.now();
        continue;
      }
      const now = performance.now();
      pollAt = nextOnGrid(pollAt, { now, intervalMs });
      await sleep(pollAt - now, signal);
    }
  }

  /** Keeps a subscription up. */
  async subscribe(endpoint: Endpoint): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      await this.endpoints.use(endpoint, { ask: () => this.#follow(endpoint), signal });
      this.#live.delete(endpoint);
      await sleep(benchedMs(endpoint), signal);
    }
  }

  async #askPolled(isSurvey: boolean): Promise<void> {
    const { signal } = this.#options;
    const ask = (endpoint: Endpoint) =>
      this.endpoints.use(endpoint, { ask: () => this.#askHead(endpoint), signal });
    const ready = this.endpoints.polled.filter((endpoint) => benchedMs(endpoint) === 0);
    if (isSurvey) {
      await Promise.all(ready.map(ask));
      return;
    }
    for (const endpoint of ready) if (await ask(endpoint)) return;
  }

  async #askHead(endpoint: Endpoint): Promise<true> {
    const { rpcTimeoutMs: timeoutMs, signal, log } = this.#options;
    const call = <Result>(method: RpcMethod<Result>) =>
      callRpc(endpoint.url, { ...method, timeoutMs, signal });
    const number = await call(blockNumberMethod);
    await this.endpoints.checkChain(endpoint, () => call(chainIdMethod));
    log.debug(`Asked ${endpoint.name}`);
    this.#take(number, endpoint);
    this.endpoints.noteSuccess(endpoint);
    return true;
  }

  /** Follows a subscription until it ends, which is always with an error. */
  async #follow(endpoint: Endpoint): Promise<never> {
    const { rpcTimeoutMs: timeoutMs, stallTimeoutMs, signal, log } = this.#options;
    let activeAt = performance.now();
    const onHead = (number: bigint) => {
      // One that lags counts as silent, and so it is checked and benched.
      if (this.endpoints.isLagging(endpoint, number)) return;
      activeAt = performance.now();
      this.#take(number, endpoint);
      this.endpoints.noteSuccess(endpoint);
    };
    using subscription = await openSubscription(endpoint.url, { timeoutMs, onHead, signal });
    const askHead = async () => this.#take(await subscription.call(blockNumberMethod), endpoint);
    await this.endpoints.checkChain(endpoint, () => subscription.call(chainIdMethod));
    await askHead(); // tells at least this, should the endpoint offer no subscriptions
    await subscription.subscribe();
    await askHead(); // which may have come before the subscription
    log.debug(`Subscribed to ${endpoint.name}`);
    this.#live.add(endpoint);
    for (;;) {
      const blocksMs = STALL_BLOCKS * this.#blockTime.averageMs;
      const stallMs = stallTimeoutMs ?? Math.max(blocksMs, MIN_STALL_TIMEOUT_MS);
      const restMs = activeAt + stallMs - performance.now();
      if (restMs > 0) {
        await sleep(restMs, subscription.signal);
        subscription.throwIfEnded();
        continue;
      }
      this.#live.delete(endpoint); // others are polled meanwhile
      const [announced, announcedAt] = [endpoint.head ?? 0n, activeAt];
      await askHead();
      if ((endpoint.head ?? 0n) > announced) {
        await sleep(ANNOUNCEMENT_GRACE_MS, subscription.signal);
        if (activeAt === announcedAt)
          throw new RpcError("stalled", "announces no new blocks although there are some");
      }
      this.#live.add(endpoint);
      activeAt = performance.now();
      this.endpoints.noteSuccess(endpoint);
    }
  }

  #take(number: bigint, endpoint: Endpoint): void {
    const { onHead, log, signal } = this.#options;
    this.endpoints.noteHead(endpoint, number);
    if (signal.aborted) return;
    const change = this.#head.observe(number);
    if (change === "none") return;
    if (change === "new-chain") log.warn(`The chain has begun anew at block ${number}`);
    this.#blockTime.observe(number, performance.now());
    onHead({ number, isNewChain: change === "new-chain", endpoint: endpoint.name });
  }
}
