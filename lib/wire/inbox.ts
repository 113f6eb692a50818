import { NetstringDecoder } from "./netstring.ts";

/** What has arrived on one connection and is not taken in yet: whole messages, in order, and the beginning of one. */
export class Inbox {
  readonly #options: { readonly maxPayloadBytes: number };
  #decoder: NetstringDecoder;
  /** Pieces that are not decoded to their end, and the first one's payloads. */
  #pieces: Uint8Array[] = [];
  #payloads: Generator<Uint8Array, void, void> | undefined;

  constructor(options: { readonly maxPayloadBytes: number }) {
    this.#options = options;
    this.#decoder = new NetstringDecoder(options);
  }

  /** Whether what was taken out so far ends in the middle of a message. */
  get isPartial(): boolean {
    return this.#decoder.isPartial;
  }

  /** Whether nothing has arrived that is not taken out. */
  get isEmpty(): boolean {
    return this.#pieces.length === 0 && !this.#decoder.isPartial;
  }

  /** Bytes of memory that it takes. */
  get keptBytes(): number {
    let bytes = this.#decoder.keptBytes;
    for (const piece of this.#pieces) bytes += piece.length;
    return bytes;
  }

  /** Puts a piece in, which must not change from then on. */
  add(piece: Uint8Array): void {
    this.#pieces.push(piece);
  }

  /**
   * Takes the next message out, valid until the next call; gives nothing when none is whole.
   *
   * @throws {NetstringError} when what arrived cannot be read on
   */
  next(): Uint8Array | undefined {
    for (let piece = this.#pieces[0]; piece; piece = this.#pieces[0]) {
      this.#payloads ??= this.#decoder.push(piece);
      const { done, value } = this.#payloads.next();
      if (!done) return value;
      this.#payloads = undefined;
      this.#pieces.shift();
    }
    return undefined;
  }

  /** Forgets all of it. */
  clear(): void {
    this.#pieces = [];
    this.#payloads = undefined;
    this.#decoder = new NetstringDecoder(this.#options);
  }
}
