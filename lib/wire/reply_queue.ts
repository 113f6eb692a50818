import { closesConnection, formatReply, type Reply } from "./reply.ts";

/** A place among the replies, for one message. */
export interface Slot {
  reply?: Reply;
}

/** Options of {@linkcode ReplyQueue}. */
export interface ReplyQueueOptions {
  /** Writes as much as there is room for and gives how many bytes that was; below zero, the peer is gone. */
  readonly write: (bytes: Uint8Array) => number;
  /** Told when replies were written, or were to be. */
  readonly onFlushed: () => void;
  /** Told each reply, once, when it is known. */
  readonly onReply?: ((reply: Reply) => void) | undefined;
}

/** The replies of one connection: they go out in the order of their messages, whenever each is known. */
export class ReplyQueue {
  readonly #options: ReplyQueueOptions;
  #slots: Slot[] = [];
  #isFlushing = false;
  #unwritten: Uint8Array | undefined;

  constructor(options: ReplyQueueOptions) {
    this.#options = options;
  }

  /** Messages whose reply is not on its way yet. */
  get due(): number {
    return this.#slots.length;
  }

  /** Bytes that the peer's side has no room for now. */
  get unwrittenBytes(): number {
    return this.#unwritten?.length ?? 0;
  }

  /** Takes the next place, for a message that was just taken in. */
  reserve(): Slot {
    const slot: Slot = {};
    this.#slots.push(slot);
    return slot;
  }

  /** Fills a place; gives whether the connection ends with this reply. */
  settle(slot: Slot, reply: Reply): boolean {
    slot.reply = reply;
    this.#options.onReply?.(reply);
    if (!this.#isFlushing) {
      // Replies of one batch are settled one after the other: written together, they cost one system call.
      this.#isFlushing = true;
      queueMicrotask(() => this.#flush());
    }
    return closesConnection(reply);
  }

  /** Writes on, as there is room again; gives whether there was anything to write. */
  writeOn(): boolean {
    const rest = this.#unwritten;
    if (!rest) return false;
    this.#unwritten = undefined;
    this.#write(rest);
    return true;
  }

  /** Forgets what cannot be written any more. */
  drop(): void {
    this.#unwritten = undefined;
  }

  #flush(): void {
    this.#isFlushing = false;
    const waitingFrom = this.#slots.findIndex((slot) => !slot.reply);
    const settled = this.#slots.splice(0, waitingFrom < 0 ? this.#slots.length : waitingFrom);
    if (settled.length === 0) return;
    let text = "";
    for (const { reply } of settled) text += reply ? frame(formatReply(reply)) : "";
    this.#write(Buffer.from(text));
    this.#options.onFlushed();
  }

  #write(bytes: Uint8Array): void {
    if (this.#unwritten) {
      this.#unwritten = Buffer.concat([this.#unwritten, bytes]);
      return;
    }
    const written = this.#options.write(bytes);
    // Below zero the peer is gone: the peers' clients do not wait for a reply, so this is no error.
    if (written >= 0 && written < bytes.length) this.#unwritten = bytes.subarray(written);
  }
}

function frame(text: string): string {
  return `${Buffer.byteLength(text)}:${text},`;
}
