import type { Socket } from "bun";
import type { InFlight } from "./in_flight.ts";
import { NetstringDecoder, NetstringError } from "./netstring.ts";
import { closesConnection, formatReply, refuse, type Reply } from "./reply.ts";

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
  /** Reply to whatever is sent, instead of taking messages in. */
  readonly refusal?: Reply;
}

/** Replies that a peer has not read yet; beyond it nothing more is read from the peer. */
const MAX_UNREAD_REPLY_BYTES = 64 * 1024;
/** How long bytes are thrown away after the last reply, so that closing does not reset the connection and destroy the reply. */
const LINGER_MS = 2000;

/**
 * The server's side of one connection: messages in, replies out in the same order.
 *
 * It goes through three phases. While `reading`, it takes messages in. While `answering`, it takes none and
 * writes the replies that are due. While `lingering`, it has said its last word and waits for the peer to close.
 * It never writes before it was written to, as a reply that a peer has not read turns the peer's close into a reset.
 */
export class Connection {
  readonly #socket: Socket<Connection>;
  readonly #options: ConnectionOptions;
  readonly #decoder: NetstringDecoder;
  #phase: "reading" | "answering" | "lingering" = "reading";
  /** Pieces that arrived and are not decoded yet, and the first one's payloads. */
  #pieces: Uint8Array[] = [];
  #payloads: Generator<Uint8Array, void, void> | undefined;
  #paused = false;
  #peerEnded = false;
  /** Set when told to finish: what has arrived is answered, and the message that is being received is the last. */
  #finishing = false;
  #isLastMessage = false;
  /** One slot a message, in order; empty until it is answered. */
  #slots: { reply?: Reply }[] = [];
  #flushing = false;
  #unwritten: Uint8Array | undefined;
  /** Monotonic times, in milliseconds. */
  #activeAt = performance.now();
  #messageStartedAt = 0;

  constructor(socket: Socket<Connection>, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#decoder = new NetstringDecoder(options);
  }

  /** Takes bytes from the socket. */
  receive(piece: Uint8Array): void {
    if (this.#phase !== "reading") return;
    this.#activeAt = performance.now();
    this.#isLastMessage = this.#finishing;
    if (this.#options.refusal) return this.#refuse(this.#options.refusal);
    this.#pieces.push(piece);
    if (!this.#paused) this.#decode();
  }

  /** Notes that the peer will send no more; it may still read. */
  receiveEnd(): void {
    this.#peerEnded = true;
    if (this.#phase === "lingering") this.#socket.end();
    else if (!this.#paused) this.#decode();
  }

  /** Writes on, as the socket has room again. */
  writeOn(): void {
    const rest = this.#unwritten;
    if (!rest) return;
    this.#unwritten = undefined;
    this.#activeAt = performance.now();
    this.#write(rest);
    this.#resume();
    this.#closeWhenAnswered();
  }

  /** Closes once the message that is being received, if any, and all before it are answered. */
  finish(): void {
    this.#finishing = true;
    if (this.#phase !== "reading" || this.#payloads || this.#decoder.isPartial) return;
    this.#phase = "answering";
    this.#closeWhenAnswered();
  }

  /** Ends what has waited for too long. */
  check(now: number): void {
    if (this.#phase === "lingering") {
      if (now - this.#activeAt > LINGER_MS) this.#socket.terminate();
    } else if (this.#unwritten) {
      if (now - this.#activeAt > this.#options.idleTimeoutMs) this.#socket.terminate();
    } else if (this.#paused || this.#phase === "answering") {
      return; // the server's own work takes its time
    } else if (this.#decoder.isPartial) {
      const { messageTimeoutMs } = this.#options;
      if (now - this.#messageStartedAt <= messageTimeoutMs) return;
      this.#refuse(
        refuse("timeout", `Cannot wait longer as a message must arrive within ${messageTimeoutMs / 1000} s`),
      );
    } else if (this.#slots.length === 0 && now - this.#activeAt > this.#idleLimitMs) {
      this.finish();
    }
  }

  get #idleLimitMs(): number {
    return this.#options.refusal ? LINGER_MS : this.#options.idleTimeoutMs;
  }

  #decode(): void {
    const wasPartial = this.#decoder.isPartial;
    let completed = false;
    try {
      while (this.#phase === "reading") {
        if (this.#mustPause()) return;
        this.#payloads ??= this.#nextPiece();
        if (!this.#payloads) break;
        const { done, value } = this.#payloads.next();
        if (done) {
          this.#payloads = undefined;
          continue;
        }
        completed = true;
        this.#take(value);
        if (this.#isLastMessage) this.#phase = "answering";
      }
    } catch (error) {
      if (!(error instanceof NetstringError)) throw error;
      return this.#refuse(refuse(error.code, error.message));
    }
    if (completed || !wasPartial) this.#messageStartedAt = performance.now();
    if (this.#peerEnded && this.#phase === "reading") this.#readEnd();
    if (this.#finishing && !this.#decoder.isPartial) this.#phase = "answering";
    this.#closeWhenAnswered();
  }

  #nextPiece() {
    const piece = this.#pieces.shift();
    return piece && this.#decoder.push(piece);
  }

  #readEnd(): void {
    if (this.#decoder.isPartial) {
      this.#refuse(refuse("malformed", "Cannot read netstring as the connection ended in the middle of it"));
    }
    this.#phase = "answering";
  }

  #mustPause(): boolean {
    const { inFlight } = this.#options;
    const isFull = inFlight.isFull;
    if (!isFull && (this.#unwritten?.length ?? 0) <= MAX_UNREAD_REPLY_BYTES) return false;
    this.#paused = true;
    this.#socket.pause();
    if (isFull) inFlight.onceFree(() => this.#resume());
    return true;
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
    this.#messageStartedAt = performance.now();
    this.#decode();
  }

  #take(payload: Uint8Array): void {
    const { onMessage, inFlight, peer } = this.#options;
    const bytes = payload.length;
    const slot: { reply?: Reply } = {};
    this.#slots.push(slot);
    const reply = onMessage({ payload, peer });
    if (!(reply instanceof Promise)) return this.#settle(slot, reply);
    inFlight.add(bytes);
    void reply.then((later) => {
      this.#settle(slot, later);
      inFlight.remove(bytes);
    });
  }

  /** Answers what cannot be read on, behind the replies that are due, and closes. */
  #refuse(reply: Reply): void {
    this.#phase = "answering";
    const slot = {};
    this.#slots.push(slot);
    this.#settle(slot, reply);
  }

  #settle(slot: { reply?: Reply }, reply: Reply): void {
    slot.reply = reply;
    this.#options.onReply?.(reply);
    if (closesConnection(reply)) this.#phase = "answering";
    if (this.#flushing) return;
    // Replies of one batch are settled one after the other: written together, they cost one system call.
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    const waitingFrom = this.#slots.findIndex((slot) => !slot.reply);
    const settled = this.#slots.splice(0, waitingFrom < 0 ? this.#slots.length : waitingFrom);
    if (settled.length === 0) return;
    let text = "";
    for (const { reply } of settled) text += reply ? frame(formatReply(reply)) : "";
    this.#activeAt = performance.now();
    this.#write(Buffer.from(text));
    this.#closeWhenAnswered();
  }

  #write(bytes: Uint8Array): void {
    if (this.#unwritten) {
      this.#unwritten = Buffer.concat([this.#unwritten, bytes]);
      return;
    }
    const written = this.#socket.write(bytes);
    // Below zero the peer is gone: the peers' clients do not wait for a reply, so this is no error.
    if (written >= 0 && written < bytes.length) this.#unwritten = bytes.subarray(written);
  }

  #closeWhenAnswered(): void {
    if (this.#phase !== "answering" || this.#slots.length > 0 || this.#unwritten) return;
    this.#phase = "lingering";
    this.#activeAt = performance.now();
    this.#pieces = [];
    this.#payloads = undefined;
    if (this.#peerEnded) this.#socket.end();
    else this.#socket.shutdown();
  }
}

function frame(text: string): string {
  return `${Buffer.byteLength(text)}:${text},`;
}
