/** Options of {@linkcode createBackoff}. */
export interface BackoffOptions {
  /** First delay. @default {100} */
  readonly minMs?: number;
  /** Longest delay. @default {30_000} */
  readonly maxMs?: number;
  /** Gives a number from 0 to 1. @default {Math.random} */
  readonly random?: () => number;
}

/** Delays that double from one failure to the next. */
export interface Backoff {
  /** Gives the next delay in milliseconds. */
  next(): number;
  /** Starts again from the first delay, after a success. */
  reset(): void;
}

/**
 * Creates delays that double up to a limit, each shortened by up to half at random, so that many clients that
 * failed together do not come back together.
 */
export function createBackoff({
  minMs = 100,
  maxMs = 30_000,
  random = Math.random,
}: BackoffOptions = {}): Backoff {
  let delayMs = minMs;
  return {
    next() {
      const jittered = delayMs * (0.5 + random() / 2);
      delayMs = Math.min(delayMs * 2, maxMs);
      return jittered;
    },
    reset() {
      delayMs = minMs;
    },
  };
}

/** Waits for a time, or until the signal is aborted, whichever is first; never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/** Resolves once the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
