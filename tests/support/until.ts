/** Options of {@linkcode until}. */
export interface UntilOptions {
  /** Longest wait. @default {20_000} */
  readonly timeoutMs?: number;
  /** What is waited for, as it reads after "Waited in vain for". */
  readonly what?: string;
}

const POLL_MS = 10;

/** Polls until a condition gives something truthy, and resolves to it; a condition that throws does not hold yet. */
export async function until<Value>(
  condition: () => Value | Promise<Value>,
  { timeoutMs = 20_000, what = "a condition" }: UntilOptions = {},
): Promise<Exclude<NonNullable<Value>, false>> {
  const giveUpAt = performance.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const value = await condition();
      if (value) return value as Exclude<NonNullable<Value>, false>;
    } catch (error) {
      cause = error;
    }
    await Bun.sleep(POLL_MS);
  } while (performance.now() < giveUpAt);
  throw new Error(`Waited in vain for ${what}`, { cause });
}

/** Rejects when a promise takes longer than it ever should, so that a test that hangs says where. */
export async function within<Value>(
  promise: Promise<Value>,
  { timeoutMs = 20_000, what = "a promise" }: UntilOptions = {},
): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`Waited in vain for ${what}`)), timeoutMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
