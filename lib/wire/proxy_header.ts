import { isIPv4, isIPv6 } from "node:net";
import { formatIp, parseIp } from "./ip_address.ts";

/** Bytes that are no PROXY header. */
export class ProxyHeaderError extends SyntaxError {
  override readonly name = "ProxyHeaderError";
  readonly code = "proxy-header";
}

/** What a PROXY header says. */
export interface ProxyHeader {
  /** The true sender; nothing when the balancer speaks for itself (a health check) or does not know. */
  readonly source: { readonly ip: string; readonly port: number } | undefined;
  /** What came behind the header in the same piece. */
  readonly rest: Uint8Array;
}

const V1_PREFIX = Buffer.from("PROXY ");
/** Longest header of version 1, with its line end. */
const MAX_V1_BYTES = 107;
const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Signature, version and command, family and protocol, length of what follows. */
const V2_FIXED_BYTES = 16;
const V2_LOCAL = 0x20;
const V2_PROXY = 0x21;
/** Bytes of both addresses and both ports, by family and protocol. */
const V2_ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 0], // UNSPEC
  [0x11, 12], // TCP over IPv4
  [0x21, 36], // TCP over IPv6
  [0x31, 216], // a Unix socket, which has no IP address
]);
const LINE_END = 0x0a;

/**
 * Reads the PROXY header at the beginning of a connection, of version 1 or 2, that arrives in pieces cut anywhere.
 *
 * Strict, and it keeps no more than 107 bytes whatever is sent: the extensions (TLVs) of version 2 are skipped.
 *
 * Source: "The PROXY protocol, versions 1 & 2" (HAProxy's `proxy-protocol.txt`).
 */
export class ProxyHeaderParser {
  readonly #head = new Uint8Array(MAX_V1_BYTES);
  #filled = 0;
  /** Bytes of version 2 that are left to skip, once what is needed of the header is known. */
  #skip = -1;
  #source: ProxyHeader["source"];

  /**
   * Takes a piece; gives the header once it is whole. What follows goes elsewhere from then on.
   *
   * @throws {ProxyHeaderError} as soon as it can be no header
   */
  push(piece: Uint8Array): ProxyHeader | undefined {
    let at = 0;
    while (this.#skip < 0) {
      const byte = piece[at++];
      if (byte === undefined) return undefined;
      this.#head[this.#filled++] = byte;
      this.#advance(byte);
    }
    const skipped = Math.min(this.#skip, piece.length - at);
    this.#skip -= skipped;
    return this.#skip > 0 ? undefined : { source: this.#source, rest: piece.subarray(at + skipped) };
  }

  #advance(byte: number): void {
    const index = this.#filled - 1;
    const prefix = this.#head[0] === V2_SIGNATURE[0] ? V2_SIGNATURE : V1_PREFIX;
    if (index < prefix.length) {
      if (byte !== prefix[index]) throw new ProxyHeaderError("Cannot read PROXY header as there is none");
    } else if (prefix === V1_PREFIX) {
      if (byte === LINE_END) this.#finish(0, readLine(this.#head.subarray(0, this.#filled)));
      else if (this.#filled === MAX_V1_BYTES)
        throw new ProxyHeaderError(
          `Cannot read PROXY header as its line is longer than ${MAX_V1_BYTES} bytes`,
        );
    } else if (this.#filled >= V2_FIXED_BYTES) {
      this.#advanceBinary();
    }
  }

  #advanceBinary(): void {
    const [command = 0, family = 0, high = 0, low = 0] = this.#head.subarray(12);
    const length = (high << 8) | low;
    if (command !== V2_LOCAL && command !== V2_PROXY)
      throw new ProxyHeaderError(`Cannot read PROXY header as its command is unknown: it is ${command}`);
    if (command === V2_LOCAL) return this.#finish(length, undefined);
    const addressBytes = V2_ADDRESS_BYTES.get(family);
    if (addressBytes === undefined)
      throw new ProxyHeaderError(`Cannot read PROXY header as its family is unknown: it is ${family}`);
    if (length < addressBytes)
      throw new ProxyHeaderError(
        `Cannot read PROXY header as its addresses take ${addressBytes} bytes: current value is ${length}`,
      );
    if (family === 0x00 || family === 0x31) return this.#finish(length, undefined);
    if (this.#filled < V2_FIXED_BYTES + addressBytes) return;
    const ipBytes = (addressBytes - 4) / 2;
    const addresses = this.#head.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + addressBytes);
    const port = ((addresses[2 * ipBytes] ?? 0) << 8) | (addresses[2 * ipBytes + 1] ?? 0);
    this.#finish(length - addressBytes, { ip: formatIp(addresses.subarray(0, ipBytes)), port });
  }

  #finish(skip: number, source: ProxyHeader["source"]): void {
    this.#skip = skip;
    this.#source = source;
  }
}

function readLine(line: Uint8Array): ProxyHeader["source"] {
  const text = Buffer.from(line).toString("latin1");
  if (/^PROXY UNKNOWN[^\r\n]*\r\n$/.test(text)) return undefined;
  const [, family, source = "", destination = "", sourcePort, destinationPort] =
    /^PROXY (TCP4|TCP6) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n$/.exec(
      text,
    ) ?? [];
  const isIp = family === "TCP4" ? isIPv4 : isIPv6;
  const bytes = isIp(source) && isIp(destination) ? parseIp(source) : undefined;
  if (!bytes || Number(sourcePort) > 65_535 || Number(destinationPort) > 65_535)
    throw new ProxyHeaderError(
      'Cannot read PROXY header as it must be "PROXY", a family, two addresses and two ports',
    );
  return { ip: formatIp(bytes), port: Number(sourcePort) };
}
