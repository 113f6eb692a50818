/** One message as the server received it. */
export interface Receipt {
  /** SHA-256 of the payload in lower-case hex. */
  readonly hash: string;
  readonly payload: string;
  /** Address of the sender. */
  readonly ip: string;
  /** Time of receipt in seconds since the epoch, with a fraction. */
  readonly receivedAtSeconds: number;
}

/** Receipts that are written together. */
export interface Batch {
  /** Names the batch for good: a batch that is written again under the same name counts once. */
  readonly id: string;
  readonly receipts: readonly Receipt[];
  /** Whether it may have been written before, without an answer, and may even yet be: bytes that were sent arrive late. */
  readonly isRepeated?: boolean;
}

/** A page that a store can never hold, such as one outside the table's character set. */
export interface Refusal {
  readonly hash: string;
  /** One sentence for people. */
  readonly reason: string;
}

/**
 * Where a server puts what it received.
 *
 * A page is stored once, however often and by however many servers it is written; its time of receipt is the
 * earliest of all; each receipt counts for its sender once.
 */
export interface Store extends AsyncDisposable {
  /** What people call it. */
  readonly name: string;
  /**
   * Writes a batch.
   *
   * Resolves once all of it but the refusals would survive the end of the process. Rejects when the store cannot
   * be written now; the same batch may then be written again.
   */
  write(batch: Batch): Promise<readonly Refusal[]>;
  /** What it has done since it was opened; absent where it does not keep count. */
  readonly tally?: Partial<StoreTally>;
}

/** What a store has done since it was opened, in messages. */
export interface StoreTally {
  /** Pages that were not stored before. */
  readonly stored: number;
  /** Pages that were. */
  readonly duplicates: number;
  /** Messages that wait until the store can be written again. */
  readonly spooled: number;
}

/** Servers whose last heartbeat is older are gone. */
export const SERVER_EXPIRY_SECONDS = 30;

/** What a server tells of itself with each heartbeat; host, port and pid name it. */
export interface ServerRow {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly version: string;
  /** Time of its start in seconds since the epoch. */
  readonly startedAtSeconds: number;
  /** Open now. */
  readonly connections: number;
  /** Messages received since its start. */
  readonly received: number;
  /** Messages stored since its start as the first of their kind. */
  readonly stored: number;
  /** Messages that wait until a store can be written again. */
  readonly spooled: number;
}

/** What all readers have. Every method of a reader rejects while its store is away. */
export interface Reader {
  /** What people call the store. */
  readonly name: string;
  /** Resolves when the store answers now, and rejects otherwise. */
  check(): Promise<void>;
}

/** Gives the pages that were stored. */
export interface PageReader extends Reader {
  /** Reads the payloads of those hashes that are stored, by hash. */
  readPages(hashes: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Counts the pages that are stored. */
  countPages(): Promise<number>;
}

/** A hash and when its page was first received, in seconds since the epoch. */
export interface HashRow {
  readonly hash: string;
  readonly receivedAtSeconds: number;
}

/** A sender and how many messages it has sent. */
export interface ClientRow {
  readonly ip: string;
  readonly messages: number;
}

/** Gives the statistics that were stored. */
export interface StatsReader extends Reader {
  /** Lists hashes, the newest first, equal times in descending order of the hash. */
  listHashes(page: HashPage): Promise<readonly HashRow[]>;
  /** Lists senders, in the order in which they were first seen where the store knows it. */
  listClients(): Promise<readonly ClientRow[]>;
  /** Lists the servers whose last heartbeat is at most {@linkcode SERVER_EXPIRY_SECONDS} old, by host, port and pid. */
  listServers(): Promise<readonly ServerRow[]>;
}

/** A part of the list of hashes. */
export interface HashPage {
  readonly limit: number;
  /** Only rows strictly after this one in the order of the list; it need not be stored. */
  readonly before?: HashRow | undefined;
}

/** A store of pages. */
export interface PageStore extends Store, PageReader {}

/** A store of statistics. */
export interface StatsStore extends Store, StatsReader {
  /** Takes a server's heartbeat, which replaces the one before it. */
  beat(server: ServerRow): Promise<void>;
}
