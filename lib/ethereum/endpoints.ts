import { FailureRun } from "../failure_run.ts";
import type { Log } from "../log.ts";
import { createBackoff, type Backoff } from "../retry.ts";
import { RpcError, type RpcErrorCode } from "./rpc.ts";

interface Endpoint {
  readonly url: string;
  /** Host and port alone: paths and queries carry keys, which stay out of logs. */
  readonly name: string;
  readonly failures: FailureRun;
  readonly backoff: Backoff;
  /** Monotonic time before which it is not asked again, in milliseconds. */
  benchedUntil: number;
}

/** Options of {@linkcode Endpoints}. */
export interface EndpointsOptions {
  readonly urls: readonly string[];
  readonly log: Log;
  /** Told each time that an endpoint, named by host and port, gives no usable answer. */
  readonly onError?:
    ((error: { readonly endpoint: string; readonly code: RpcErrorCode }) => void) | undefined;
}

/**
 * Endpoints that stand in for each other: the last one that answered is asked first, one that fails is left alone
 * for a while, longer each time.
 */
export class Endpoints {
  readonly #log: Log;
  readonly #onError: EndpointsOptions["onError"];
  /** In the order in which they are asked. */
  #endpoints: readonly Endpoint[];

  constructor({ urls, log, onError }: EndpointsOptions) {
    this.#log = log;
    this.#onError = onError;
    this.#endpoints = urls.map((url) => ({
      url,
      name: new URL(url).host,
      failures: new FailureRun(log),
      backoff: createBackoff(),
      benchedUntil: 0,
    }));
  }

  /** How long until an endpoint may be asked, in milliseconds; 0 when one may be asked now. */
  get waitMs(): number {
    const earliest = Math.min(...this.#endpoints.map(({ benchedUntil }) => benchedUntil));
    return Math.max(0, earliest - performance.now());
  }

  /** Asks the endpoints in turn; resolves to the first answer, or to nothing when none gave one. */
  async ask<Answer>(
    request: (url: string) => Promise<Answer>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Answer | undefined> {
    for (const endpoint of this.#endpoints) {
      if (signal.aborted) return undefined;
      if (endpoint.benchedUntil > performance.now()) continue;
      try {
        const answer = await request(endpoint.url);
        this.#log.debug(`Asked ${endpoint.name}`);
        endpoint.failures.recovered(`The endpoint ${endpoint.name} answers again`);
        endpoint.backoff.reset();
        this.#prefer(endpoint);
        return answer;
      } catch (error) {
        if (signal.aborted) return undefined;
        if (!(error instanceof RpcError)) throw error;
        this.#onError?.({ endpoint: endpoint.name, code: error.code });
        endpoint.failures.report(`The endpoint ${endpoint.name} ${error.message}`);
        endpoint.benchedUntil = performance.now() + endpoint.backoff.next();
      }
    }
    return undefined;
  }

  #prefer(endpoint: Endpoint): void {
    if (this.#endpoints[0] === endpoint) return;
    this.#endpoints = [endpoint, ...this.#endpoints.filter((other) => other !== endpoint)];
  }
}
