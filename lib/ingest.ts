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

const MAX_BATCHES_AT_ONCE = 2;
/** Fewest receipts of a batch that is written beside another. */
const MIN_BATCH_BESIDE = 32;

interface Waiting {
  readonly receipt: Received;
  readonly answer: (reply: Reply) => void;
}

/**
 * Prints and stores receipts in batches (group commit).
 *
 * A batch is written as soon as the one before it is done and holds all that has arrived since: a lone message
 * waits for nobody, a burst costs few transactions. When enough has arrived, it is written beside the one before it,
 * so that one is made ready while the store works on the other.
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
  /** Batches that are being written. */
  #writing = 0;
  #settled: PromiseWithResolvers<void> | undefined;

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
    if (this.#writing < MAX_BATCHES_AT_ONCE && this.#isWorthABatch(this.#writing)) void this.#writeAll();
    return promise;
  }

  /** Resolves once all that was submitted is answered. */
  async settled(): Promise<void> {
    if (this.#writing > 0) await (this.#settled ??= Promise.withResolvers<void>()).promise;
  }

  /** Writes batches, one after the other, for as long as it is worth it. */
  async #writeAll(): Promise<void> {
    this.#writing++;
    while (this.#isWorthABatch(this.#writing - 1)) {
      // All sockets that are readable now are read before the batch is cut.
      await new Promise((resolve) => setImmediate(resolve));
      const batch = this.#waiting.splice(0, this.#maxBatch);
      if (batch.length > 0) await this.#write(batch);
    }
    // In the same turn as the last look at what waits, so that nothing is submitted in between.
    this.#writing--;
    if (this.#writing > 0) return;
    this.#settled?.resolve();
    this.#settled = undefined;
  }

  /** Whether what waits is worth a batch, beside so many others. */
  #isWorthABatch(others: number): boolean {
    return this.#waiting.length >= (others > 0 ? MIN_BATCH_BESIDE : 1);
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
