import type { Log } from "./log.ts";
import { FailureRun } from "./failure_run.ts";
import type { Printer } from "./printer.ts";
import type { Receipt, Store } from "./store/store.ts";
import { refuse, type Reply } from "./wire/reply.ts";

/** A receipt and the port it came from, which is shown and not stored. */
export interface Received extends Receipt {
  readonly port: number;
}

/** Options of {@linkcode Ingest}. */
export interface IngestOptions {
  /** Where receipts go; without one they are acknowledged once printed. */
  readonly store?: Store | undefined;
  readonly printer: Printer;
  readonly log: Log;
  /** @default {500} */
  readonly maxBatch?: number;
  /** Told each batch that was written to the store, or failed to be. */
  readonly onBatch?: ((batch: { readonly messages: number; readonly seconds: number }) => void) | undefined;
}

interface Waiting {
  readonly receipt: Received;
  readonly answer: (reply: Reply) => void;
}

/**
 * Prints and stores receipts in batches (group commit).
 *
 * A batch is written as soon as the one before it is done and holds all that has arrived since: a lone message
 * waits for nobody, a burst costs few transactions. Full batches are written two at a time, so that one is made
 * ready while the store works on the other.
 *
 * Invariant: a receipt is answered `ok` only after the store has committed it.
 */
export class Ingest {
  readonly #store: Store | undefined;
  readonly #printer: Printer;
  readonly #maxBatch: number;
  readonly #onBatch: IngestOptions["onBatch"];
  readonly #failures: FailureRun;
  #waiting: Waiting[] = [];
  /** The writing of batches, and that of full batches beside it, while they go on. */
  readonly #lanes: { any?: Promise<void> | undefined; full?: Promise<void> | undefined } = {};

  constructor({ store, printer, log, maxBatch = 500, onBatch }: IngestOptions) {
    this.#store = store;
    this.#printer = printer;
    this.#maxBatch = maxBatch;
    this.#onBatch = onBatch;
    this.#failures = new FailureRun(log);
  }

  /** Takes a receipt in and resolves to its answer; never rejects. The caller bounds how many are in flight. */
  submit(receipt: Received): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.push({ receipt, answer: resolve });
    this.#lanes.any ??= this.#writeAll("any", 1);
    // A full batch gains nothing from waiting for the one before it.
    if (this.#waiting.length >= this.#maxBatch) this.#lanes.full ??= this.#writeAll("full", this.#maxBatch);
    return promise;
  }

  /** Resolves once all that was submitted is answered. */
  async settled(): Promise<void> {
    while (this.#lanes.any ?? this.#lanes.full) await Promise.all([this.#lanes.any, this.#lanes.full]);
  }

  /** Writes batches, one after the other, for as long as at least so many receipts wait. */
  async #writeAll(lane: "any" | "full", atLeast: number): Promise<void> {
    while (this.#waiting.length >= atLeast) {
      // All sockets that are readable now are read before the batch is cut.
      await new Promise((resolve) => setImmediate(resolve));
      const batch = this.#waiting.splice(0, this.#maxBatch);
      if (batch.length > 0) await this.#write(batch);
    }
    // In the same turn as the last look at what waits, so that nothing is submitted in between.
    this.#lanes[lane] = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const receipts = batch.map(({ receipt }) => receipt);
    const printed = this.#printer.print(receipts);
    const startedAt = performance.now();
    const observe = () =>
      this.#onBatch?.({ messages: batch.length, seconds: (performance.now() - startedAt) / 1000 });
    try {
      const refusals = await this.#store?.write({ id: crypto.randomUUID(), receipts }).finally(observe);
      if (!this.#store && !(await printed))
        throw new Error("they could not be printed and there is no store");
      const reasons = new Map(refusals?.map(({ hash, reason }) => [hash, reason]));
      for (const { receipt, answer } of batch) {
        const reason = reasons.get(receipt.hash);
        answer(reason ? refuse("unavailable", reason) : { kind: "ok", hash: receipt.hash });
      }
      this.#failures.recovered("Messages are acknowledged again");
    } catch (error) {
      this.#failures.report(`Cannot acknowledge messages: ${(error as Error).message}`);
      for (const { answer } of batch)
        answer(refuse("unavailable", "Cannot store the message now: send it again later"));
    }
    // A reader of the output that is slow holds back the next batch, not the answers to this one.
    await printed;
  }
}
