/** Options of {@linkcode Cached}. */
export interface CachedOptions {
  /** How long an answer is given out again. @default {1000} */
  readonly ttlMs?: number;
  /** Answers kept at a time; the oldest makes room. @default {64} */
  readonly maxEntries?: number;
  /** Gives the monotonic time in milliseconds. @default {performance.now} */
  readonly now?: () => number;
}

interface Entry<Answer> {
  answer: Promise<Answer> | { readonly value: Answer };
  /** Monotonic time at which it is too old; none while it is being loaded. */
  staleAt: number;
}

/**
 * Answers that all requests share for a short time.
 *
 * Whoever asks while an answer is being loaded waits for that one (single flight), so that however many ask, the
 * store sees one query at a time for each key. A failure is shared by those that waited for it and not kept.
 */
export class Cached<Answer> {
  readonly #ttlMs: number;
  readonly #maxEntries: number;
  readonly #now: () => number;
  /** In the order in which they were loaded. */
  readonly #entries = new Map<string, Entry<Answer>>();

  constructor({ ttlMs = 1000, maxEntries = 64, now = () => performance.now() }: CachedOptions = {}) {
    this.#ttlMs = ttlMs;
    this.#maxEntries = maxEntries;
    this.#now = now;
  }

  /** Gives the answer for a key, at once where there is one that is fresh, and loads it otherwise. */
  get(key: string, load: () => Promise<Answer>): Answer | Promise<Answer> {
    const kept = this.#entries.get(key);
    if (kept && this.#now() < kept.staleAt)
      return kept.answer instanceof Promise ? kept.answer : kept.answer.value;
    this.#entries.delete(key);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < this.#maxEntries) break;
      this.#entries.delete(oldest);
    }
    const answer = load();
    const entry: Entry<Answer> = { answer, staleAt: Number.POSITIVE_INFINITY };
    this.#entries.set(key, entry);
    answer.then(
      (value) => Object.assign(entry, { answer: { value }, staleAt: this.#now() + this.#ttlMs }),
      () => this.#entries.get(key) === entry && this.#entries.delete(key),
    );
    return answer;
  }
}
