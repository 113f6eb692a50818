import { isIPv4, isIPv6 } from "node:net";

const GROUPS = 8;

/** Reads an IP address into its 4 or 16 bytes, an IPv4 address in IPv6 form into its 4; gives nothing for another text. */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) return undefined;
  return plain(parseIpv6(text));
}

/** Writes the 4 or 16 bytes of an IP address, IPv6 as in RFC 5952; an IPv4 address in IPv6 form as the former. */
export function formatIp(bytes: Uint8Array): string {
  const address = plain(bytes);
  if (address.length === 4) return address.join(".");
  const groups = Array.from({ length: GROUPS }, (_, index) =>
    (((address[index * 2] ?? 0) << 8) | (address[index * 2 + 1] ?? 0)).toString(16),
  );
  const { from, length } = longestZeros(groups);
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, from).join(":")}::${groups.slice(from + length).join(":")}`;
}

function parseIpv6(text: string): Uint8Array {
  const [head = "", tail] = text.split("::");
  const before = toBytes(head);
  const after = toBytes(tail ?? "");
  const bytes = new Uint8Array(2 * GROUPS);
  bytes.set(before);
  bytes.set(after, bytes.length - after.length);
  return bytes;
}

function toBytes(groups: string): number[] {
  if (groups === "") return [];
  return groups.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function plain(bytes: Uint8Array): Uint8Array {
  const isMapped =
    bytes.length === 16 && bytes.subarray(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 0xff));
  return isMapped ? bytes.subarray(12) : bytes;
}

function longestZeros(groups: readonly string[]): { from: number; length: number } {
  let longest = { from: 0, length: 0 };
  for (let from = 0; from < groups.length; from++) {
    let length = 0;
    while (groups[from + length] === "0") length++;
    if (length > longest.length) longest = { from, length };
  }
  return longest;
}
