import type { Socket } from "bun";
import type { InFlight, Keeper } from "./in_flight.ts";
import { Inbox } from "./inbox.ts";
import type { Limit } from "./limits.ts";
import { NetstringError } from "./netstring.ts";
import { ReplyQueue } from "./reply_queue.ts";
import { refuse, type Reply } from "./reply.ts";
import type { Session } from "./session.ts";

/** The other end of a connection. */
export interface Peer {
  readonly ip: string;
  readonly port: number;
}

/** One message as it came off the wire. */
export interface Message {
  /** Valid during the call only. */
  readonly payload: Uint8Array;
  readonly peer: Peer;
}

/** Gives the reply to a message; must not throw or reject. */
export type MessageHandler = (message: Message) => Reply | Promise<Reply>;

/** Options of {@linkcode Connection}. */
export interface ConnectionOptions {
  readonly peer: Peer;
  readonly onMessage: MessageHandler;
  readonly inFlight: InFlight;
  readonly maxPayloadBytes: number;
  readonly messageTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Told each reply, once, when it is known. */
  readonly onReply?: ((reply: Reply) => void) | undefined;
  /** Told the limit at which the connection ends, and a sentence about it. */
  readonly onLimit: (limit: Limit, sentence: string) => void;
  /** Reply to whatever is sent, instead of taking messages in. */
  readonly refusal?: Reply | undefined;
}

/** Replies that a peer has not read yet; beyond it nothing more is read from the peer. */
const MAX_UNREAD_REPLY_BYTES = 64 * 1024;
/** Messages of one connection that wait for their reply; beyond it nothing more is read from the peer. */
const MAX_DUE_REPLIES = 1024;
/** How long a connection that has not sent anything may still do so when told to finish: it may be as new as that. */
export const FIRST_BYTE_MS = 500;
/** How long bytes are thrown away after the last reply, so that closing does not reset the connection and destroy the reply. */
const LINGER_MS = 2000;
/** How many bytes are thrown away like that; who sends more has not stopped for the last reply. */
const MAX_LINGER_BYTES = 1024 * 1024;

/**
 * The server's side of one connection: messages in, replies out in the same order.
 *
 * It goes through three phases. While `reading`, it takes messages in. While `answering`, it takes none and
 * writes the replies that are due. While `lingering`, it has said its last word and waits for the peer to close.
 * It never writes before it was written to, as a reply that a peer has not read turns the peer's close into a reset.
 */
export class Connection implements Session, Keeper {
  readonly #socket: Socket<unknown>;
  readonly #options: ConnectionOptions;
  readonly #inbox: Inbox;
  readonly #replies: ReplyQueue;
  #phase: "reading" | "answering" | "lingering" = "reading";
  #paused = false;
  #hasReceived = false;
  #peerEnded = false;
  #isClosed = false;
  /** Set when told to finish: what has arrived is answered, and the message that is being received is the last. */
  #finishing = false;
  #isLastMessage = false;
  #hasToldLimit = false;
  #thrownAwayBytes = 0;
  /** Bytes that are noted as kept. */
  #keptBytes = 0;
  /** Monotonic times, in milliseconds. */
  #activeAt = performance.now();
  #messageStartedAt = 0;

  constructor(socket: Socket<unknown>, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#inbox = new Inbox(options);
    this.#replies = new ReplyQueue({
      write: (bytes) => socket.write(bytes),
      onFlushed: () => {
        this.#activeAt = performance.now();
        this.#noteKept();
        // Not at once, so that others have their turn beside one who sends countless tiny messages.
        if (this.#paused) setImmediate(this.#resume);
        this.#closeWhenAnswered();
      },
      onReply: options.onReply,
    });
  }

  receive(piece: Uint8Array): void {
    if (this.#phase !== "reading") return this.#throwAway(piece.length);
    this.#activeAt = performance.now();
    this.#hasReceived = true;
    this.#isLastMessage = this.#finishing;
    if (this.#options.refusal) return this.#refuse(this.#options.refusal);
    this.#inbox.add(piece);
    if (!this.#paused) this.#decode();
    this.#noteKept();
  }

  receiveEnd(): void {
    this.#peerEnded = true;
    if (this.#phase === "lingering") this.#socket.end();
    else if (!this.#paused) this.#decode();
  }

  writeOn(): void {
    if (!this.#replies.writeOn()) return;
    this.#activeAt = performance.now();
    this.#noteKept();
    this.#resume();
    this.#closeWhenAnswered();
  }

  /** Closes once the message that is being received, or the first, and all before it are answered. */
  finish(): void {
    if (!this.#finishing) this.#activeAt = performance.now();
    this.#finishing = true;
    if (this.#hasReceived || this.#peerEnded) this.#endReading();
  }

  check(now: number): void {
    const { messageTimeoutMs, idleTimeoutMs, refusal } = this.#options;
    const silentMs = now - this.#activeAt;
    if (this.#phase === "lingering") {
      if (silentMs > LINGER_MS) this.#socket.terminate();
    } else if (this.#replies.unwrittenBytes > 0) {
      if (silentMs > idleTimeoutMs) this.#cutAt("idle-timeout", "as it does not read its answers");
    } else if (this.#paused || this.#phase === "answering") {
      return; // the server's own work takes its time
    } else if (this.#inbox.isPartial) {
      if (now - this.#messageStartedAt <= messageTimeoutMs) return;
      const limit = `a message must arrive within ${messageTimeoutMs / 1000} s`;
      this.#refuseAt("message-timeout", refuse("timeout", `Cannot wait longer as ${limit}`));
    } else if (this.#replies.due === 0 && silentMs > (refusal ? LINGER_MS : idleTimeoutMs)) {
      if (!refusal) this.#tell("idle-timeout", `as it sent nothing for ${idleTimeoutMs / 1000} s`);
      this.#endReading();
    } else if (this.#finishing && silentMs > FIRST_BYTE_MS) {
      this.#endReading();
    }
  }

  cut(): void {
    if (this.#phase === "lingering") this.#socket.end();
    else this.#socket.terminate();
  }

  closed(): void {
    this.#isClosed = true;
    this.#replies.drop();
    this.#noteKept();
    // Nothing is written any more for which it could wait.
    if (this.#paused) setImmediate(this.#resume);
  }

  letGo(): void {
    const why = "too much is kept of messages that have not arrived whole, or of answers that are not read";
    if (this.#isClosed) {
      this.#inbox.clear();
      this.#noteKept();
    } else if (this.#phase !== "reading" || this.#replies.unwrittenBytes > 0) {
      this.#cutAt("max-in-flight", `as ${why}`);
    } else {
      this.#refuseAt("max-in-flight", refuse("busy", `Cannot take more at a time as ${why}`));
    }
  }

  #decode(): void {
    const wasPartial = this.#inbox.isPartial;
    let completed = false;
    try {
      while (this.#phase === "reading") {
        if (this.#mustPause()) return;
        const payload = this.#inbox.next();
        if (!payload) break;
        completed = true;
        this.#take(payload);
        if (this.#isLastMessage) this.#phase = "answering";
      }
    } catch (error) {
      if (!(error instanceof NetstringError)) throw error;
      const limit = error.code === "too-large" ? "max-payload" : "malformed";
      return this.#refuseAt(limit, refuse(error.code, error.message));
    }
    if (completed || !wasPartial) this.#messageStartedAt = performance.now();
    if (this.#peerEnded && this.#phase === "reading") this.#readEnd();
    if (this.#finishing && !this.#inbox.isPartial) this.#phase = "answering";
    this.#closeWhenAnswered();
  }

  #endReading(): void {
    if (this.#phase !== "reading" || !this.#inbox.isEmpty) return;
    this.#phase = "answering";
    this.#closeWhenAnswered();
  }

  #readEnd(): void {
    if (this.#inbox.isPartial) {
      const reason = "Cannot read netstring as the connection ended in the middle of it";
      this.#refuseAt("malformed", refuse("malformed", reason));
    }
    this.#phase = "answering";
  }

  #mustPause(): boolean {
    if (!this.#mustWait()) return false;
    this.#paused = true;
    this.#socket.pause();
    return true;
  }

  #mustWait(): boolean {
    const { inFlight } = this.#options;
    if (inFlight.isFull) inFlight.onceFree(this.#resume);
    const { unwrittenBytes, due } = this.#replies;
    return inFlight.isFull || unwrittenBytes > MAX_UNREAD_REPLY_BYTES || due >= MAX_DUE_REPLIES;
  }

  readonly #resume = () => {
    if (!this.#paused || this.#mustWait()) return;
    this.#paused = false;
    this.#socket.resume();
    this.#messageStartedAt = performance.now();
    this.#decode();
    this.#noteKept();
  };

  #take(payload: Uint8Array): void {
    const { onMessage, inFlight, peer } = this.#options;
    const bytes = payload.length;
    const slot = this.#replies.reserve();
    const settle = (reply: Reply) => {
      if (this.#replies.settle(slot, reply)) this.#phase = "answering";
    };
    const reply = onMessage({ payload, peer });
    if (!(reply instanceof Promise)) return settle(reply);
    inFlight.add(bytes);
    void reply.then((later) => {
      settle(later);
      inFlight.remove(bytes);
    });
  }

  #throwAway(bytes: number): void {
    this.#thrownAwayBytes += bytes;
    this.#options.inFlight.discard(bytes);
    if (this.#thrownAwayBytes > MAX_LINGER_BYTES) this.#socket.terminate();
  }

  /** Answers what cannot be read on, behind the replies that are due, and closes. */
  #refuse(reply: Reply): void {
    this.#phase = "answering";
    this.#inbox.clear();
    this.#noteKept();
    this.#replies.settle(this.#replies.reserve(), reply);
  }

  #refuseAt(limit: Limit, reply: Reply): void {
    this.#tell(limit, reply.kind === "error" ? `as ${reply.code}: ${reply.reason}` : "");
    this.#refuse(reply);
  }

  #cutAt(limit: Limit, why: string): void {
    this.#phase = "lingering";
    this.#replies.drop();
    this.#inbox.clear();
    this.#noteKept();
    this.#tell(limit, why);
    this.#socket.terminate();
  }

  /** Tells the first limit that ends the connection; those that follow from it are not told. */
  #tell(limit: Limit, why: string): void {
    if (!this.#hasToldLimit) this.#options.onLimit(limit, why);
    this.#hasToldLimit = true;
  }

  #noteKept(): void {
    // Once it is closed, what has arrived whole is still taken in, and nothing else is kept.
    const unread = this.#isClosed && !this.#paused ? 0 : this.#inbox.keptBytes;
    const bytes = unread + this.#replies.unwrittenBytes;
    if (bytes === this.#keptBytes) return;
    this.#keptBytes = bytes;
    this.#options.inFlight.keep(this, bytes);
  }

  #closeWhenAnswered(): void {
    if (this.#phase !== "answering" || this.#replies.due > 0 || this.#replies.unwrittenBytes > 0) return;
    this.#phase = "lingering";
    this.#activeAt = performance.now();
    this.#inbox.clear();
    this.#noteKept();
    if (this.#peerEnded) this.#socket.end();
    else this.#socket.shutdown();
  }
}
