/** What may be taken in and not yet answered. */
export interface InFlightLimits {
  /** @default {8192} */
  readonly maxMessages?: number;
  /** @default {33_554_432} */
  readonly maxBytes?: number;
}

/**
 * Counts the messages that all connections together have taken in and not yet answered.
 *
 * Whoever finds it full stops reading and is called once there is room again, so that TCP holds the sender back
 * and memory stays bounded.
 */
export class InFlight {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #waiting = new Set<() => void>();
  #messages = 0;
  #bytes = 0;

  constructor({ maxMessages = 8192, maxBytes = 32 * 1024 * 1024 }: InFlightLimits = {}) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  /** Whether nothing more may be taken in. */
  get isFull(): boolean {
    return this.#messages >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  /** Counts a message that was taken in. */
  add(bytes: number): void {
    this.#messages++;
    this.#bytes += bytes;
  }

  /** Counts a message as answered, and calls those that wait when half of the room is free. */
  remove(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
    if (this.#waiting.size === 0) return;
    if (this.#messages > this.#maxMessages / 2 || this.#bytes > this.#maxBytes / 2) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }

  /** Calls `resume` once, when there is room again. */
  onceFree(resume: () => void): void {
    this.#waiting.add(resume);
  }
}
