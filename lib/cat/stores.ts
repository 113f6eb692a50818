import { within } from "../deadline.ts";
import { FailureRun } from "../failure_run.ts";
import type { Log } from "../log.ts";
import type { PageReader, Reader, StatsReader } from "../store/store.ts";
import { CatError } from "./errors.ts";

/** The stores that the API reads, which may be one and the same. */
export interface StoresOptions {
  readonly pages: PageReader;
  readonly stats: StatsReader;
  readonly log: Log;
  /** Longest wait for an answer. @default {5000} */
  readonly timeoutMs?: number;
}

/** How a store is now. */
export interface StoreState {
  readonly store: string;
  readonly state: "up" | "away";
  /** How long it took to answer, in milliseconds; null when it did not. */
  readonly latencyMs: number | null;
}

const RETRY_AFTER_SECONDS = 5;

/** Asks the stores, each question in bounded time, and says once when one is away and when it is back. */
export class Stores {
  readonly #pages: PageReader;
  readonly #stats: StatsReader;
  readonly #timeoutMs: number;
  readonly #failures: ReadonlyMap<Reader, FailureRun>;
  readonly #states = new Map<Reader, StoreState>();

  constructor({ pages, stats, log, timeoutMs = 5000 }: StoresOptions) {
    this.#pages = pages;
    this.#stats = stats;
    this.#timeoutMs = timeoutMs;
    this.#failures = new Map([pages, stats].map((reader) => [reader, new FailureRun(log)]));
  }

  /**
   * Asks the store of pages.
   *
   * @throws {CatError} with status 503 when it does not answer
   */
  pages<Answer>(question: (reader: PageReader) => Promise<Answer>): Promise<Answer> {
    return this.#ask(this.#pages, () => question(this.#pages));
  }

  /**
   * Asks the store of statistics.
   *
   * @throws {CatError} with status 503 when it does not answer
   */
  stats<Answer>(question: (reader: StatsReader) => Promise<Answer>): Promise<Answer> {
    return this.#ask(this.#stats, () => question(this.#stats));
  }

  /** Whether pages and statistics are in two stores. */
  get areApart(): boolean {
    return this.#failures.size > 1;
  }

  /** How each store was when it was last asked anything. */
  get states(): readonly StoreState[] {
    return [...this.#failures.keys()].flatMap((reader) => this.#states.get(reader) ?? []);
  }

  /** Asks each store whether it answers; never rejects. */
  async check(): Promise<readonly StoreState[]> {
    const readers = [...this.#failures.keys()];
    await Promise.allSettled(readers.map((reader) => this.#ask(reader, () => reader.check())));
    return this.states;
  }

  async #ask<Answer>(reader: Reader, question: () => Promise<Answer>): Promise<Answer> {
    const startedAt = performance.now();
    try {
      const answer = await within(this.#timeoutMs, question());
      const latencyMs = performance.now() - startedAt;
      this.#states.set(reader, { store: reader.name, state: "up", latencyMs });
      this.#failures.get(reader)?.recovered(`${reader.name} answers again`);
      return answer;
    } catch (error) {
      this.#states.set(reader, { store: reader.name, state: "away", latencyMs: null });
      this.#failures.get(reader)?.report(`Cannot read ${reader.name}: ${(error as Error).message}`);
      throw new CatError(`Cannot read ${reader.name} now: try again in ${RETRY_AFTER_SECONDS} s`, {
        status: 503,
        type: "store_unavailable_exception",
        headers: { "retry-after": String(RETRY_AFTER_SECONDS) },
      });
    }
  }
}
