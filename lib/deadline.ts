/** A signal with a time limit. */
export interface Deadline extends Disposable {
  /** Aborted when the time is up or the outer signal is aborted. */
  readonly signal: AbortSignal;
  /** Whether it was the time that aborted it. */
  readonly isOver: boolean;
}

/**
 * Creates a signal that is aborted after a time, or with another signal; disposing it frees both.
 *
 * Unlike `AbortSignal.any()`, it leaves nothing behind on a signal that lives as long as the program.
 */
export function createDeadline(ms: number, outer?: AbortSignal): Deadline {
  const controller = new AbortController();
  let isOver = false;
  const abort = () => controller.abort();
  const timer = setTimeout(() => {
    isOver = true;
    abort();
  }, ms);
  outer?.addEventListener("abort", abort, { once: true });
  if (outer?.aborted) abort();
  return {
    signal: controller.signal,
    get isOver() {
      return isOver;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", abort);
    },
  };
}

/**
 * Waits for a promise, but not longer than a time; what it does goes on.
 *
 * @throws {Error} saying that there was no answer, when the time is up
 */
export async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // By hand, as the stats API also runs on a Node.js without Promise.withResolvers().
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`there was no answer within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
