import { z } from "zod";
import { describeNetworkError } from "../network_error.ts";
import { MAX_ANSWER_BYTES, parseJson, quantity, readResult, RpcError, type RpcMethod } from "./rpc_answer.ts";

/** Options of {@linkcode openSubscription}. */
export interface SubscriptionOptions {
  /** Longest time to connect, and to answer a call. */
  readonly timeoutMs: number;
  /** Takes the number of each block that the endpoint announces. */
  readonly onHead: (number: bigint) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

interface Pending {
  readonly id: number;
  readonly resolve: (text: string) => void;
  readonly reject: (error: RpcError) => void;
}

const subscribeMethod: RpcMethod<string> = {
  method: "eth_subscribe",
  params: ["newHeads"],
  result: z.string().min(1),
};

const messageShape = z.union([
  z.object({
    method: z.literal("eth_subscription"),
    params: z.object({ subscription: z.string(), result: z.object({ number: quantity }) }),
  }),
  z.object({ method: z.undefined().optional(), id: z.unknown() }),
]);

/**
 * Connects to a JSON-RPC endpoint over WebSocket; heads are announced after `subscribe()`.
 *
 * @throws {RpcError} when there is no connection in time
 */
export async function openSubscription(url: string, options: SubscriptionOptions): Promise<Subscription> {
  const subscription = new Subscription(url, options);
  await subscription.opened;
  return subscription;
}

/** One WebSocket to an endpoint: calls, one at a time, and a subscription to new heads. Whatever is wrong ends it. */
export class Subscription implements Disposable {
  /** Resolves once it is connected. */
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  readonly #options: SubscriptionOptions;
  readonly #ended = new AbortController();
  #failure: RpcError | undefined;
  #lastId = 0;
  #subscriptionId: string | undefined;
  #pending: Pending | undefined;

  constructor(url: string, options: SubscriptionOptions) {
    this.#options = options;
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onerror = (event) => this.#fail(describeConnectError(event as ErrorEvent));
    this.#socket.onclose = () => this.#fail(new RpcError("closed", "closed the subscription"));
    options.signal.addEventListener("abort", this.#stop, { once: true });
    this.opened = this.#within((resolve, reject) => {
      this.#socket.onopen = () => resolve();
      this.#pending = { id: 0, resolve: () => {}, reject };
    }, "accept a WebSocket");
    if (options.signal.aborted) this.#stop();
  }

  /** Aborted when it has ended, for whatever waits. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * Checks that it has not ended.
   *
   * @throws {RpcError} why it has
   */
  throwIfEnded(): void {
    if (this.#failure) throw this.#failure;
  }

  /**
   * Calls a method; not before the last call is answered.
   *
   * @throws {RpcError} whatever the endpoint does wrong; if it is not a refusal, the subscription has ended
   */
  async call<Result>(method: RpcMethod<Result>): Promise<Result> {
    this.throwIfEnded();
    const id = ++this.#lastId;
    const text = await this.#within<string>((resolve, reject) => {
      this.#pending = { id, resolve, reject };
      const { method: name, params = [] } = method;
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: name, params }));
    }, "answer");
    return readResult(text, { ...method, id });
  }

  /**
   * Asks for the announcement of new heads.
   *
   * @throws {RpcError} like `call()`
   */
  async subscribe(): Promise<void> {
    this.#subscriptionId = await this.call(subscribeMethod);
  }

  [Symbol.dispose](): void {
    this.#fail(new RpcError("closed", "is no longer needed"));
  }

  readonly #stop = () => this.#fail(new RpcError("closed", "is left alone, as this program stops"));

  async #within<Value>(
    start: (resolve: (value: Value) => void, reject: (error: RpcError) => void) => void,
    what: string,
  ): Promise<Value> {
    const { timeoutMs } = this.#options;
    const timer = setTimeout(
      () => this.#fail(new RpcError("timeout", `did not ${what} within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    try {
      return await new Promise(start);
    } finally {
      clearTimeout(timer);
      this.#pending = undefined;
    }
  }

  #receive(data: unknown): void {
    if (typeof data !== "string" || data.length > MAX_ANSWER_BYTES) {
      const what = typeof data === "string" ? `with more than ${MAX_ANSWER_BYTES} characters` : "in binary";
      return this.#fail(new RpcError("malformed", `answered ${what}`));
    }
    const message = messageShape.safeParse(parseJson(data)).data;
    if (!message) return this.#fail(new RpcError("malformed", "sent what is not JSON-RPC"));
    if (message.method) return this.#announce(message.params);
    if (this.#pending) this.#pending.resolve(data);
    else this.#fail(new RpcError("malformed", "answered what was not asked"));
  }

  #announce({ subscription, result }: { subscription: string; result: { number: bigint } }): void {
    // Before the answer to the subscription there is no id to check; the head is asked for after it.
    if (this.#subscriptionId === undefined) return;
    if (subscription === this.#subscriptionId) this.#options.onHead(result.number);
    else this.#fail(new RpcError("malformed", "announced a head of another subscription"));
  }

  #fail(error: RpcError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#options.signal.removeEventListener("abort", this.#stop);
    this.#pending?.reject(error);
    this.#ended.abort();
    // Not close(), which waits for an answer that a frozen endpoint never gives.
    this.#socket.terminate();
  }
}

// The event's own message quotes the address, which may hold a key.
function describeConnectError({ message, error }: ErrorEvent): RpcError {
  const [, status] = /status code: (\d{3})/.exec(message) ?? [];
  if (status) return new RpcError(status === "429" ? "rate-limited" : "http", `answered HTTP ${status}`);
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const reason = code ? describeNetworkError({ code, message: code }) : "no WebSocket came about";
  return new RpcError("unreachable", `cannot be reached: ${reason}`);
}
