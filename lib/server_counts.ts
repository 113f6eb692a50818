import type { Store } from "./store/store.ts";
import type { Reply } from "./wire/reply.ts";

/** Counts what a server has received and answered since its start. */
export class ServerCounts {
  #received = 0;
  #receivedBytes = 0;
  #acknowledged = 0;
  readonly #refused = new Map<string, number>();

  /** Counts a message that was received whole. */
  countMessage(bytes: number): void {
    this.#received++;
    this.#receivedBytes += bytes;
  }

  /** Counts a reply. */
  countReply(reply: Reply): void {
    if (reply.kind === "ok") this.#acknowledged++;
    else this.#refused.set(reply.code, (this.#refused.get(reply.code) ?? 0) + 1);
  }

  /** Reads the counts, together with those of the store. */
  read(store: Store | undefined) {
    // A store that does not tell more has at least taken what was acknowledged.
    const taken = { stored: store ? this.#acknowledged : 0, duplicates: 0, spooled: 0 };
    return {
      received: this.#received,
      receivedBytes: this.#receivedBytes,
      refused: this.#refused as ReadonlyMap<string, number>,
      ...taken,
      ...store?.tally,
    };
  }
}
