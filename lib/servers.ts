import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { formatAddress } from "./printable.ts";
import { sleep } from "./retry.ts";

/** Where a server listens. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** A server that pages are sent to. */
export interface Server extends HostAndPort {
  /** As people know it. */
  readonly name: string;
  /** Whether it has ever answered a message; the peers' servers never do. */
  answers: boolean;
}

/** One address of a server. */
export interface Route {
  readonly server: Server;
  readonly ip: string;
  /** Whether the server has no further address. */
  readonly isLast: boolean;
}

/** Gives the addresses of a name. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** Options of {@linkcode Servers}. */
export interface ServersOptions {
  readonly servers: readonly HostAndPort[];
  /** @default {the system's} */
  readonly lookup?: Lookup;
}

interface Known extends Server {
  /** The last one that worked first; none when they are to be looked up. */
  addresses: readonly string[];
}

const LOOKUP_TIMEOUT_MS = 5000;

/** Servers that stand in for each other, with all their addresses; the last one that worked comes first. */
export class Servers {
  readonly #lookup: Lookup;
  #servers: readonly Known[];

  constructor({ servers, lookup = lookupAll }: ServersOptions) {
    this.#lookup = lookup;
    this.#servers = servers.map(({ host, port }) => ({
      host,
      port,
      name: formatAddress({ ip: host, port }),
      answers: false,
      addresses: [],
    }));
  }

  /**
   * Yields each address of each server once, in the order in which they are to be tried.
   *
   * Leave the loop at one that works, after `prefer()`; asking for the next one says that the last one failed. A
   * name is looked up again once all its addresses have failed.
   */
  async *routes(): AsyncGenerator<Route, void, void> {
    for (const server of this.#servers) {
      if (server.addresses.length === 0) server.addresses = await this.#resolve(server.host);
      const { addresses } = server;
      for (const [index, ip] of addresses.entries())
        yield { server, ip, isLast: index === addresses.length - 1 };
      server.addresses = [];
    }
  }

  /** Puts a server, and the address of it that worked, first. */
  prefer({ server, ip }: Route): void {
    const known = this.#servers.find((other) => other === server);
    if (!known) return;
    known.addresses = putFirst(known.addresses, ip);
    this.#servers = putFirst(this.#servers, known);
  }

  /** A name without an answer stands for itself, so that connecting to it says what is wrong. */
  async #resolve(host: string): Promise<readonly string[]> {
    if (isIP(host)) return [host];
    const done = new AbortController();
    try {
      const late = sleep(LOOKUP_TIMEOUT_MS, done.signal).then(() => [host]);
      const addresses = await Promise.race([this.#lookup(host), late]);
      return addresses.length > 0 ? addresses : [host];
    } catch {
      return [host];
    } finally {
      done.abort();
    }
  }
}

function putFirst<Item>(items: readonly Item[], first: Item): readonly Item[] {
  return items[0] === first ? items : [first, ...items.filter((item) => item !== first)];
}

async function lookupAll(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
