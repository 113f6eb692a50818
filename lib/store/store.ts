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
}

/** Gives the pages that were stored. */
export interface PageReader {
  /** Reads the payloads of those hashes that are stored, by hash. */
  readPages(hashes: readonly string[]): Promise<ReadonlyMap<string, string>>;
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
export interface StatsReader {
  /** Lists hashes, the newest first, equal times in descending order of the hash. */
  listHashes(options: { readonly limit: number }): Promise<readonly HashRow[]>;
  /** Lists senders, in the order in which they were first seen where the store knows it. */
  listClients(): Promise<readonly ClientRow[]>;
}

/** A store of pages. */
export interface PageStore extends Store, PageReader {}

/** A store of statistics. */
export interface StatsStore extends Store, StatsReader {}
