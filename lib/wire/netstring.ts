/** Bytes that are no netstring, or one that is too long. */
export class NetstringError extends SyntaxError {
  override readonly name = "NetstringError";
  readonly code: "malformed" | "too-large";

  constructor(code: NetstringError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const COMMA = 0x2c;
const FIRST_BUFFER_BYTES = 256;

/**
 * Encodes a payload as a netstring (D. J. Bernstein, "Netstrings", 1997): decimal length, `:`, the bytes, `,`.
 *
 * @example encodeNetstring("hello") // the bytes of "5:hello,"
 */
export function encodeNetstring(payload: string | Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from(`${Buffer.byteLength(payload)}:`),
    Buffer.from(payload),
    Buffer.of(COMMA),
  ]);
}

/**
 * Decodes a stream of netstrings that arrives in pieces cut anywhere.
 *
 * Strict: no leading zeros but for `0:,`, nothing between two netstrings. A length above the limit is refused
 * as soon as its digits exceed it, and memory grows with the bytes that arrive, never with the length announced.
 * After an error the stream cannot be read on.
 */
export class NetstringDecoder {
  readonly #maxPayloadBytes: number;
  /** Digits of the length seen so far. */
  #digits = 0;
  #length = 0;
  /** Whether the length is complete and the payload is being read. */
  #inPayload = false;
  /** Holds the first `#filled` bytes of a payload that was cut. */
  #buffer = new Uint8Array(0);
  #filled = 0;

  constructor({ maxPayloadBytes }: { readonly maxPayloadBytes: number }) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Whether the bytes so far end in the middle of a netstring. */
  get isPartial(): boolean {
    return this.#inPayload || this.#digits > 0;
  }

  /** Bytes of memory that a message which has not arrived whole takes. */
  get keptBytes(): number {
    return this.#buffer.length;
  }

  /**
   * Yields each payload that a piece completes, as a view of the piece where it lies whole in it.
   *
   * Iterate to the end before the next call; it is fine to do so late, as long as the piece is kept unchanged.
   *
   * @throws {NetstringError} after the payloads before the error were yielded
   */
  *push(piece: Uint8Array): Generator<Uint8Array, void, void> {
    let at = 0;
    while (at < piece.length) {
      if (!this.#inPayload) {
        at = this.#readLength(piece, at);
        continue;
      }
      const end = at + this.#length - this.#filled;
      if (end >= piece.length) {
        this.#keep(piece.subarray(at));
        return;
      }
      if (piece[end] !== COMMA) throw malformed(`a comma must follow its ${this.#length} bytes`, piece[end]);
      const payload = this.#takePayload(piece.subarray(at, end));
      at = end + 1;
      yield payload;
    }
  }

  #readLength(piece: Uint8Array, from: number): number {
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at] ?? 0;
      if (byte === COLON && this.#digits > 0) {
        this.#inPayload = true;
        return at + 1;
      }
      if (byte < ZERO || byte > NINE) {
        throw malformed(
          `its length must be ${this.#digits > 0 ? "digits and a colon" : "a digit first"}`,
          byte,
        );
      }
      if (this.#digits > 0 && this.#length === 0)
        throw malformed("its length must not begin with a zero", byte);
      this.#digits++;
      this.#length = this.#length * 10 + byte - ZERO;
      if (this.#length > this.#maxPayloadBytes) {
        throw new NetstringError(
          "too-large",
          `Cannot read netstring as its length must be at most ${this.#maxPayloadBytes}: current value is at least ${this.#length}`,
        );
      }
    }
    return piece.length;
  }

  #takePayload(rest: Uint8Array): Uint8Array {
    let payload = rest;
    if (this.#filled > 0) {
      this.#keep(rest);
      payload = this.#buffer.subarray(0, this.#filled);
      this.#buffer = new Uint8Array(0);
      this.#filled = 0;
    }
    this.#digits = 0;
    this.#length = 0;
    this.#inPayload = false;
    return payload;
  }

  #keep(bytes: Uint8Array): void {
    const needed = this.#filled + bytes.length;
    if (needed > this.#buffer.length) {
      // Doubling keeps a payload that trickles in byte by byte linear, and memory within twice what arrived.
      const capacity = Math.min(this.#length, Math.max(needed, this.#buffer.length * 2, FIRST_BUFFER_BYTES));
      const grown = new Uint8Array(capacity);
      grown.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled = needed;
  }
}

function malformed(rule: string, byte = 0): NetstringError {
  const shown = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte ${byte}`;
  return new NetstringError("malformed", `Cannot read netstring as ${rule}: current value is ${shown}`);
}
