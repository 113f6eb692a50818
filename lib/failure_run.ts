import type { Log } from "./log.ts";

const MAX_DISTINCT_MESSAGES = 16;
/** Ids and times, which differ from one failure to the next and make no other failure of it. */
const LONG_NUMBERS = /\d{5,}/g;

/** Warns of a failure that repeats itself once, counts the repeats, and says so when it is over. */
export class FailureRun {
  readonly #log: Log;
  readonly #seen = new Set<string>();
  #failures = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Warns, unless the same, ids and times apart, was said since the last recovery. */
  report(message: string): void {
    this.#failures++;
    const kind = message.replace(LONG_NUMBERS, "#");
    if (this.#seen.has(kind) || this.#seen.size >= MAX_DISTINCT_MESSAGES) {
      this.#log.debug(`${message} (failure ${this.#failures})`);
      return;
    }
    this.#seen.add(kind);
    this.#log.warn(message);
  }

  /** Ends the run of failures, if there is one, with a line that says how many there were. */
  recovered(message: string): void {
    if (this.#failures > 0) this.#log.info(`${message} after ${count(this.#failures, "failure")}`);
    this.#failures = 0;
    this.#seen.clear();
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
