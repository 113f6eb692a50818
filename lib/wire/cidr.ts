import { parseIp } from "./ip_address.ts";

/** A range of IP addresses: all that share their first bits. */
export interface Cidr {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/**
 * Reads a range such as `10.0.0.0/8` or `fd00::/8`, or one address; gives nothing for another text.
 *
 * @example parseCidr("192.168.0.0/16") // { bytes: [192, 168, 0, 0], bits: 16 }
 */
export function parseCidr(text: string): Cidr | undefined {
  const [, address = "", digits] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const bytes = parseIp(address);
  if (!bytes) return undefined;
  const bits = digits === undefined ? bytes.length * 8 : Number(digits);
  return bits <= bytes.length * 8 ? { bytes, bits } : undefined;
}

/** Whether an address lies in a range; IPv4 and IPv6 never meet. */
export function contains({ bytes, bits }: Cidr, ip: string): boolean {
  const address = parseIp(ip);
  if (address?.length !== bytes.length) return false;
  return bytes.every((byte, index) => {
    const unshared = Math.min(8, Math.max(0, 8 * (index + 1) - bits));
    return byte >> unshared === (address[index] ?? 0) >> unshared;
  });
}
