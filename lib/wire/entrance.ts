import type { Socket } from "bun";
import { formatAddress } from "../printable.ts";
import type { OccasionalLog } from "../occasional_log.ts";
import { Admission, type AdmissionLimits } from "./admission.ts";
import { Arrival } from "./arrival.ts";
import { contains, type Cidr } from "./cidr.ts";
import { Connection, type ConnectionOptions, type Peer } from "./connection.ts";
import { InFlight, type InFlightLimits } from "./in_flight.ts";
import { createListenerCounts, type Limit, type ListenerCounts } from "./limits.ts";
import { ProxyHeaderError, ProxyHeaderParser, type ProxyHeader } from "./proxy_header.ts";
import { refuse, type Reply } from "./reply.ts";
import type { Session } from "./session.ts";

/** A socket of the server, with what drives it. */
export type ServerSocket = Socket<Session | undefined>;

/** Options of {@linkcode Entrance}. */
export interface EntranceOptions
  extends
    Pick<
      ConnectionOptions,
      "maxPayloadBytes" | "messageTimeoutMs" | "idleTimeoutMs" | "onMessage" | "onReply"
    >,
    AdmissionLimits {
  readonly inFlight?: InFlightLimits | undefined;
  /** Addresses of the balancers that connections come from, each beginning with a PROXY header. @default {none} */
  readonly trustedProxies?: readonly Cidr[] | undefined;
}

/** How connections come in: encrypted, and then whether a certificate is asked for, or not. */
export type Encryption = "none" | "tls" | "mutual-tls";

/** Finds out who a connection comes from, and whether it may: then it carries messages, else it is told why not. */
export class Entrance {
  /** What was counted so far. */
  readonly counts: ListenerCounts = createListenerCounts();
  /** Set when no more connections come: those that are coming in may send one message each. */
  isClosing = false;
  readonly #options: EntranceOptions;
  readonly #encryption: Encryption;
  readonly #admission: Admission<ServerSocket>;
  readonly #inFlight: InFlight;
  readonly #log: OccasionalLog;

  constructor(options: EntranceOptions, { encryption, log }: { encryption: Encryption; log: OccasionalLog }) {
    this.#options = options;
    this.#encryption = encryption;
    this.#admission = new Admission(options);
    this.#inFlight = new InFlight(options.inFlight);
    this.#log = log;
  }

  /** Takes a socket in. */
  open(socket: ServerSocket): void {
    const { trustedProxies } = this.#options;
    this.counts.accepted++;
    // One that was reset before its turn has no address, whatever the type says.
    if ((socket.remoteAddress as string | undefined) === undefined) return void socket.terminate();
    const peer = { ip: plainIp(socket.remoteAddress), port: socket.remotePort };
    if (!trustedProxies) {
      if (this.#encryption === "none") this.#welcome(socket, peer);
      else this.#await(socket, { peer });
    } else if (trustedProxies.some((range) => contains(range, peer.ip))) {
      this.#await(socket, { peer, parser: new ProxyHeaderParser() });
    } else {
      const reason = "Cannot take messages from an address that is not among those of --proxy-trust";
      this.#turnAway(socket, { peer, limit: "proxy-trust", reply: refuse("malformed", reason) });
    }
  }

  /** Goes on after a TLS handshake; Bun gives an error too when only a certificate is missing that nobody asked for. */
  shakeHands(socket: ServerSocket, { isDone, error }: { isDone: boolean; error: Error | null }): void {
    const arrival = socket.data;
    if (this.#encryption === "none" || !(arrival instanceof Arrival)) return;
    const { peer } = arrival;
    // Bun calls the handshake of a client that it does not trust done, and closes the connection a little later.
    if (isDone && (this.#encryption === "tls" || socket.authorized)) return this.#welcome(socket, peer);
    const isGone = (error as NodeJS.ErrnoException | null)?.code === "ECONNRESET"; // as a health check is
    if (!isGone)
      this.#note("tls", peer, `as its TLS handshake failed: ${error?.message ?? "no reason is known"}`);
    socket.terminate();
  }

  /** Lets go of a socket that is closed. */
  close(socket: ServerSocket): void {
    socket.data?.closed();
    this.#admission.leave(socket);
  }

  /** Waits for the TLS handshake, or with a parser, for the header of a balancer. */
  #await(socket: ServerSocket, { peer, parser }: { peer: Peer; parser?: ProxyHeaderParser }): void {
    // It counts from now on, and for its address once that is known. One beyond a limit is told so once it can be.
    this.#admission.enter(socket, parser ? undefined : peer.ip);
    socket.data = new Arrival(socket, {
      peer,
      parser,
      timeoutMs: this.#options.messageTimeoutMs,
      onHeader: (header) => this.#readHeader(socket, { peer, header }),
      onLimit: (limit, why) => this.#note(limit, peer, why),
    });
    this.#cutSurplus();
  }

  #readHeader(
    socket: ServerSocket,
    { peer, header }: { peer: Peer; header: ProxyHeader | ProxyHeaderError },
  ) {
    if (header instanceof ProxyHeaderError) {
      this.#turnAway(socket, { peer, limit: "proxy-header", reply: refuse("malformed", header.message) });
      socket.data?.receive(new Uint8Array(0));
      return;
    }
    this.#welcome(socket, header.source ?? peer);
    if (header.rest.length > 0) socket.data?.receive(header.rest);
  }

  /** Takes messages from now on, unless there are too many connections. */
  #welcome(socket: ServerSocket, peer: Peer): void {
    const { maxConnections, maxConnectionsPerIp } = this.#options;
    const limit = this.#admission.enter(socket, peer.ip);
    if (!limit) {
      socket.data = this.#createConnection(socket, { peer });
      if (this.isClosing) socket.data.finish();
      return;
    }
    const reason =
      limit === "max-connections"
        ? `Cannot take more than ${maxConnections} connections at a time`
        : `Cannot take more than ${maxConnectionsPerIp} connections at a time from one address`;
    this.#turnAway(socket, { peer, limit, reply: refuse("busy", reason) });
  }

  /** Answers whatever is sent with a refusal, for as many connections as may wait for theirs. */
  #turnAway(socket: ServerSocket, { peer, limit, reply }: { peer: Peer; limit: Limit; reply: Reply }): void {
    this.#admission.refuse(socket);
    socket.data = this.#createConnection(socket, { peer, refusal: reply });
    this.#note(limit, peer, reply.kind === "error" ? `as ${reply.code}: ${reply.reason}` : "");
    this.#cutSurplus();
  }

  #cutSurplus(): void {
    this.#admission.takeSurplus()?.data?.cut();
  }

  #createConnection(socket: ServerSocket, { peer, refusal }: { peer: Peer; refusal?: Reply }): Connection {
    return new Connection(socket, {
      ...this.#options,
      peer,
      refusal,
      inFlight: this.#inFlight,
      onLimit: (limit, why) => this.#note(limit, peer, why),
    });
  }

  #note(limit: Limit, peer: Peer, why: string): void {
    this.counts.limited[limit]++;
    this.#log.warn(limit, `Closed the connection of ${formatAddress(peer)} ${why}`);
  }
}

/** An IPv4 peer of a listener on `::` shows as `::ffff:a.b.c.d`. */
function plainIp(ip: string): string {
  return ip.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}
