import { parseIp } from "./ip_address.ts";
import type { Limit } from "./limits.ts";

/** How many connections there may be. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  /** Connections above the limits that are kept for the moment it takes to tell them so. @default {256} */
  readonly maxRefused?: number;
}

/** First bytes of an IPv6 address that count as one sender, as whoever has one address has all that share these. */
const IPV6_NETWORK_BYTES = 8;

/** Counts connections, in all and by address, and keeps few of those that are too many. */
export class Admission<Connection> {
  readonly #limits: Required<AdmissionLimits>;
  /** With the address each is counted for, once it is known. */
  readonly #admitted = new Map<Connection, string | undefined>();
  readonly #perAddress = new Map<string, number>();
  /** The oldest first. */
  readonly #refused = new Set<Connection>();

  constructor(limits: AdmissionLimits) {
    this.#limits = { maxRefused: 256, ...limits };
  }

  /** Counts a connection, whose address need not be known; gives the limit that it exceeds. */
  enter(connection: Connection, ip?: string): Limit | undefined {
    this.leave(connection);
    const limit = this.#exceeded(ip);
    if (limit) {
      this.refuse(connection);
      return limit;
    }
    const address = ip === undefined ? undefined : addressOf(ip);
    this.#admitted.set(connection, address);
    if (address !== undefined) this.#perAddress.set(address, this.#count(address) + 1);
    return undefined;
  }

  /** Counts a connection among the refused. */
  refuse(connection: Connection): void {
    this.leave(connection);
    this.#refused.add(connection);
  }

  /** Takes out the refused connection that was kept the longest, when too many are. */
  takeSurplus(): Connection | undefined {
    if (this.#refused.size <= this.#limits.maxRefused) return undefined;
    const [oldest] = this.#refused;
    if (oldest !== undefined) this.#refused.delete(oldest);
    return oldest;
  }

  /** Counts a connection no more. */
  leave(connection: Connection): void {
    this.#refused.delete(connection);
    const address = this.#admitted.get(connection);
    this.#admitted.delete(connection);
    if (address === undefined) return;
    const others = this.#count(address) - 1;
    if (others > 0) this.#perAddress.set(address, others);
    else this.#perAddress.delete(address);
  }

  #exceeded(ip: string | undefined): Limit | undefined {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    if (this.#admitted.size >= maxConnections) return "max-connections";
    if (ip === undefined || this.#count(addressOf(ip)) < maxConnectionsPerIp) return undefined;
    return "max-connections-per-ip";
  }

  #count(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }
}

function addressOf(ip: string): string {
  const bytes = ip.includes(":") ? parseIp(ip) : undefined;
  return bytes?.length === 16 ? bytes.subarray(0, IPV6_NETWORK_BYTES).toHex() : ip;
}
