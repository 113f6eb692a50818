import type { ClientRow, HashRow, ServerRow } from "../../store/store.ts";
import { describeBlock, withIntervals, type BlockRow } from "../blocks.ts";
import type { StoreState, Stores } from "../stores.ts";
import { computeSeries, lastMinute, medianInterval, type Series } from "./series.ts";

/** What the dashboard knows at a moment. */
export interface Snapshot {
  readonly atSeconds: number;
  /** The last blocks and other pages, the newest first. */
  readonly blocks: readonly BlockRow[];
  /** Median of the last hour. */
  readonly intervalSeconds: number | undefined;
  readonly messagesLastMinute: number | undefined;
  readonly messages: number;
  readonly clientCount: number;
  /** Those that have sent the most. */
  readonly clients: readonly ClientRow[];
  readonly servers: readonly ServerRow[];
  readonly stores: readonly StoreState[];
  readonly series: Series;
  /** What was read at least once; of the rest nothing is known. */
  readonly known: ReadonlySet<Turn>;
}

/** Options of {@linkcode Live}. */
export interface LiveOptions {
  readonly stores: Stores;
  /** Gives the time in milliseconds since the epoch. @default {Date.now} */
  readonly now?: () => number;
}

const TICK_MS = 1000;
/** Ticks come late on a busy machine. */
const SLACK_MS = 500;
/** Without a viewer, messages alone are counted, and that seldom. */
const IDLE_TICKS = 20;
const SHOWN_BLOCKS = 20;
const SHOWN_CLIENTS = 10;
/** Read beyond the shown ones, so that the last one's interval is known behind pages that are no blocks. */
const LOOK_BACK_ROWS = 5;
const RECENT_ROWS = 100;
/** Newest rows that are told from other pages, which is more than an hour of blocks. */
const MAX_READ_PAGES = 1000;
/** More than a day of blocks. */
const MAX_ROWS = 10_000;
const DAY_SECONDS = 86_400;
const MINUTE_MS = 60_000;
const MAX_MINUTES = 62;

/** What a question is about. */
export type Turn = "hashes" | "clients" | "servers" | "check";

/**
 * Watches the stores for all viewers of the dashboard at once: whatever their number, the stores are asked one
 * question a second at most, on average, and next to none while nobody looks.
 */
export class Live implements Disposable {
  readonly stores: Stores;
  readonly #now: () => number;
  readonly #viewers = new Set<() => void>();
  readonly #ended = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #idleTicks = 0;
  #turn = 0;
  /** Questions that were asked ahead of their time, one of which is paid in advance. */
  #debt = 1;
  #running: Promise<void> | undefined;
  /** When all there is was read last, or is known to be kept fresh. */
  #readAtMs = Number.NEGATIVE_INFINITY;
  /** Of the last day, the newest first. */
  #rows: readonly HashRow[] = [];
  #blocks: ReadonlyMap<string, BlockRow> = new Map();
  /** Hashes of those that are known to be no blocks. */
  #otherPages: ReadonlySet<string> = new Set();
  #clients: readonly ClientRow[] = [];
  #servers: readonly ServerRow[] = [];
  readonly #totals = new Map<number, number>();
  readonly #known = new Set<Turn>();

  constructor({ stores, now = Date.now }: LiveOptions) {
    this.stores = stores;
    this.#now = now;
  }

  /** Begins to watch; disposing ends it. */
  start(): void {
    this.#timer ??= setInterval(() => void this.tick(), TICK_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#ended.abort();
  }

  /** Aborted when it is disposed. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Calls a viewer after each change, until the result is disposed. */
  watch(viewer: () => void): Disposable {
    this.#viewers.add(viewer);
    return { [Symbol.dispose]: () => this.#viewers.delete(viewer) };
  }

  /** Number of viewers. */
  get viewers(): number {
    return this.#viewers.size;
  }

  /** Gives what is known, after reading all of it when that is older than a second and nobody watches. */
  async read(): Promise<Snapshot> {
    await this.#running;
    if (this.#now() - this.#readAtMs > TICK_MS + SLACK_MS) {
      await this.#run(async () => {
        await Promise.all([...new Set(this.#turns())].map((turn) => this.#take(turn)));
        this.#readAtMs = this.#now();
      });
    }
    return this.snapshot();
  }

  /** Goes on by a second: asks the stores one question, unless some were asked ahead of time. */
  async tick(): Promise<void> {
    if (this.#running) return; // a store that is slow is not asked twice
    if (this.#viewers.size === 0) {
      this.#debt = 1;
      if (this.#idleTicks++ % IDLE_TICKS === 0) await this.#run(() => this.#take("clients"));
      return;
    }
    if (this.#debt > 0) {
      this.#debt--;
    } else {
      const turns = this.#turns();
      // A turn of its own: one that fell on the debts of another would never come.
      const turn = turns[this.#turn++ % turns.length] ?? "hashes";
      await this.#run(() => this.#take(turn));
    }
    // Since the first viewer came, all has had its turn again and again.
    this.#readAtMs = this.#now();
    for (const viewer of this.#viewers) viewer();
  }

  /** Gives what is known, without asking. */
  snapshot(): Snapshot {
    const atSeconds = this.#now() / 1000;
    const times = this.#rows
      .filter((row) => !this.#otherPages.has(row.hash))
      .map((row) => row.receivedAtSeconds);
    const shown = this.#rows.slice(0, SHOWN_BLOCKS + LOOK_BACK_ROWS);
    return {
      atSeconds,
      blocks: withIntervals(
        shown.map((row) => ({ ...describeBlock(row, undefined), ...this.#blocks.get(row.hash), ...row })),
      ).slice(0, SHOWN_BLOCKS),
      intervalSeconds: medianInterval(times, atSeconds),
      messagesLastMinute: lastMinute(this.#totals, atSeconds),
      messages: sumMessages(this.#clients),
      clientCount: this.#clients.length,
      clients: this.#clients.toSorted((a, b) => b.messages - a.messages).slice(0, SHOWN_CLIENTS),
      servers: this.#servers,
      stores: this.stores.states,
      series: computeSeries(times, { nowSeconds: atSeconds, totals: this.#totals }),
      known: this.#known,
    };
  }

  #turns(): readonly Turn[] {
    return ["hashes", "clients", "hashes", this.stores.areApart ? "check" : "servers", "hashes", "servers"];
  }

  /** One reader at a time; the others wait for it. */
  #run(work: () => Promise<void>): Promise<void> {
    this.#running ??= work().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #take(turn: Turn): Promise<void> {
    try {
      if (turn === "hashes") await this.#readHashes();
      else if (turn === "clients") await this.#readClients();
      else if (turn === "servers") this.#servers = await this.stores.stats((reader) => reader.listServers());
      else await this.stores.pages((reader) => reader.check());
      this.#known.add(turn);
    } catch {
      // The stores have said so, and their states show it; what is known stays until they answer again.
    }
  }

  async #readHashes(): Promise<void> {
    const limit = this.#rows.length === 0 ? MAX_ROWS : RECENT_ROWS;
    let fresh = await this.#list(limit);
    const known = new Set(this.#rows.map((row) => row.hash));
    if (fresh.length === RECENT_ROWS && !fresh.some((row) => known.has(row.hash))) {
      this.#debt++;
      fresh = await this.#list(MAX_ROWS);
    }
    const last = fresh.length < limit ? undefined : fresh.at(-1);
    const older = last ? this.#rows.filter((row) => isOlder(row, last)) : [];
    const sinceSeconds = this.#now() / 1000 - DAY_SECONDS;
    this.#rows = [...fresh, ...older]
      .filter((row, index) => index < SHOWN_BLOCKS + LOOK_BACK_ROWS || row.receivedAtSeconds >= sinceSeconds)
      .slice(0, MAX_ROWS);
    await this.#readPages(this.#rows.slice(0, MAX_READ_PAGES));
  }

  #list(limit: number): Promise<readonly HashRow[]> {
    return this.stores.stats((reader) => reader.listHashes({ limit }));
  }

  async #readPages(rows: readonly HashRow[]): Promise<void> {
    const missing = rows.filter((row) => !this.#blocks.get(row.hash)).map((row) => row.hash);
    if (missing.length === 0) return;
    this.#debt++;
    const pages = await this.stores.pages((reader) => reader.readPages(missing));
    const blocks = rows.flatMap((row) => {
      const page = pages.get(row.hash);
      const block = this.#blocks.get(row.hash) ?? (page === undefined ? undefined : describeBlock(row, page));
      return block ? [[row.hash, block] as const] : [];
    });
    this.#blocks = new Map(blocks);
    const others = blocks.filter(([, { blockNumber }]) => blockNumber === null).map(([hash]) => hash);
    if (others.length === 0) return;
    const known = new Set([...this.#otherPages, ...others]);
    this.#otherPages = new Set(this.#rows.map(({ hash }) => hash).filter((hash) => known.has(hash)));
  }

  async #readClients(): Promise<void> {
    this.#clients = await this.stores.stats((reader) => reader.listClients());
    const minute = Math.floor(this.#now() / MINUTE_MS);
    this.#totals.set(minute, sumMessages(this.#clients));
    for (const old of this.#totals.keys()) {
      if (old > minute - MAX_MINUTES) break;
      this.#totals.delete(old);
    }
  }
}

function isOlder(row: HashRow, than: HashRow): boolean {
  const seconds = row.receivedAtSeconds - than.receivedAtSeconds;
  return seconds < 0 || (seconds === 0 && row.hash < than.hash);
}

function sumMessages(clients: readonly ClientRow[]): number {
  return clients.reduce((sum, client) => sum + client.messages, 0);
}
