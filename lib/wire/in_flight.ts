/** What may be taken in and not yet answered. */
export interface InFlightLimits {
  /** @default {8192} */
  readonly maxMessages?: number | undefined;
  /** @default {33_554_432} */
  readonly maxBytes?: number | undefined;
  /** Bytes of messages that have not arrived whole, and of answers that are not read. @default {4 times maxBytes} */
  readonly maxKeptBytes?: number | undefined;
}

/** Whoever keeps bytes for as long as its sender pleases. */
export interface Keeper {
  /** Ends it, because all together keep too much. */
  letGo(): void;
}

/** Left to itself, the collector lets some 50 MB come together. */
const MAX_DISCARDED_BYTES = 8 * 1024 * 1024;
/** What a message leaves behind beside its payload: objects, a row, a line and a reply. */
const DISCARDED_BYTES_PER_MESSAGE = 2 * 1024;

/**
 * Counts what all connections together have taken in and not yet answered.
 *
 * Whole messages hold others back: whoever finds it full stops reading and is called once there is room again, so
 * that TCP holds the sender back and memory stays bounded. Bytes that are kept otherwise, of messages that have not
 * arrived whole or of answers that are not read, are freed at the sender's pleasure: when they are too many, whoever
 * keeps the most is ended.
 */
export class InFlight {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #maxKeptBytes: number;
  /** Those that wait, the longest first. */
  readonly #waiting = new Set<() => void>();
  /** Set while anybody waits, so that nobody passes by. */
  #isShut = false;
  #messages = 0;
  #bytes = 0;
  #keptBytes = 0;
  readonly #keepers = new Map<Keeper, number>();
  #discardedBytes = 0;

  constructor({
    maxMessages = 8192,
    maxBytes = 32 * 1024 * 1024,
    maxKeptBytes = 4 * maxBytes,
  }: InFlightLimits = {}) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
    this.#maxKeptBytes = maxKeptBytes;
  }

  /** Whether nothing more may be taken in: there is no room, or others wait for theirs. */
  get isFull(): boolean {
    return this.#isShut || this.#hasNoRoom;
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
    this.discard(bytes + DISCARDED_BYTES_PER_MESSAGE);
    if (!this.#isShut || this.#messages > this.#maxMessages / 2 || this.#bytes > this.#maxBytes / 2) return;
    this.#isShut = false;
    for (const resume of this.#waiting) {
      if (this.#hasNoRoom) break;
      this.#waiting.delete(resume);
      resume();
    }
    this.#isShut = this.#waiting.size > 0;
  }

  /** Notes how many bytes somebody keeps now. */
  keep(keeper: Keeper, bytes: number): void {
    const before = this.#keepers.get(keeper) ?? 0;
    this.#keptBytes += bytes - before;
    if (bytes > 0) this.#keepers.set(keeper, bytes);
    else this.#keepers.delete(keeper);
    if (bytes > before && this.#keptBytes > this.#maxKeptBytes) this.#letGoLargest();
  }

  /**
   * Counts bytes that were thrown away, and has them collected when they are many: in one turn of the event loop alone,
   * half a megabyte can come from each of a thousand connections, which is more than the collector expects.
   */
  discard(bytes: number): void {
    this.#discardedBytes += bytes;
    // Collecting takes the longer, the more is kept, and so it is done the less often.
    if (this.#discardedBytes < MAX_DISCARDED_BYTES + this.#keptBytes / 2) return;
    this.#discardedBytes = 0;
    Bun.gc(true);
  }

  /** Calls `resume` once, when there is room again. */
  onceFree(resume: () => void): void {
    this.#waiting.add(resume);
    this.#isShut = true;
  }

  get #hasNoRoom(): boolean {
    return this.#messages >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  #letGoLargest(): void {
    let largest: Keeper | undefined;
    let most = 0;
    for (const [keeper, bytes] of this.#keepers) if (bytes > most) [largest, most] = [keeper, bytes];
    largest?.letGo();
    this.discard(most);
  }
}
