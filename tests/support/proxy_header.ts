/** The signature of version 2, as the specification writes it. */
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

/** What a header of version 2 is made of. */
export interface HeaderParts {
  /** Version and command. @default {0x21, PROXY} */
  readonly command?: number;
  /** Family and protocol. @default {0x11, TCP over IPv4} */
  readonly family?: number;
  /** What follows the length. */
  readonly body?: readonly number[];
  /** The length, if another than the body's. */
  readonly length?: number;
}

/** Builds a header of version 2, without the code under test. */
export function headerV2({
  command = 0x21,
  family = 0x11,
  body = [],
  length = body.length,
}: HeaderParts): Buffer {
  return Buffer.from([...SIGNATURE, command, family, length >> 8, length & 0xff, ...body]);
}

/** Builds the addresses and ports of a header, the destination being all zeros and port 9999. */
export function addresses(source: readonly number[], port: number): number[] {
  return [...source, ...source.map(() => 0), port >> 8, port & 0xff, 9999 >> 8, 9999 & 0xff];
}

/** Builds an extension (TLV). */
export function extension(type: number, value: readonly number[]): number[] {
  return [type, value.length >> 8, value.length & 0xff, ...value];
}
