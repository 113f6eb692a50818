import { FailureRun } from "./failure_run.ts";
import type { Log } from "./log.ts";
import { formatAddress, printable } from "./printable.ts";

/** What is shown of a message. */
export interface Printed {
  readonly ip: string;
  readonly port: number;
  readonly payload: string;
}

/** Where printed lines go; resolves once they have left the program. */
export type Output = (lines: string) => Promise<void>;

/** Shows messages on an output, one line each: `DATA - <ip>:<port> - <payload>`. */
export class Printer {
  readonly #output: Output;
  readonly #log: Log;
  readonly #failures: FailureRun;
  readonly #pending = new Set<(isPrinted: boolean) => void>();
  #isGivenUp = false;

  constructor({ output, log }: { readonly output: Output; readonly log: Log }) {
    this.#output = output;
    this.#log = log;
    this.#failures = new FailureRun(log);
  }

  /** Prints messages in order; resolves to whether they were printed, and never rejects. */
  async print(messages: readonly Printed[]): Promise<boolean> {
    if (this.#isGivenUp) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#pending.add(resolve);
    void this.#write(messages).then(resolve);
    return promise.finally(() => this.#pending.delete(resolve));
  }

  /** Prints no more, and counts as not printed what nobody has read yet. */
  giveUp(): void {
    this.#isGivenUp = true;
    if (this.#pending.size > 0) this.#log.warn("Printing no more, as nobody reads what was printed");
    for (const resolve of this.#pending) resolve(false);
  }

  async #write(messages: readonly Printed[]): Promise<boolean> {
    let lines = "";
    for (const message of messages)
      lines += `DATA - ${formatAddress(message)} - ${printable(message.payload)}\n`;
    try {
      await this.#output(lines);
      this.#failures.recovered("Messages are printed again");
      return true;
    } catch (error) {
      this.#failures.report(`Cannot print messages: ${(error as Error).message}`);
      return false;
    }
  }
}

/** Opens stdout as an output that waits for a slow reader instead of holding ever more lines in memory. */
export function openStdout(): Output {
  const sink = Bun.stdout.writer();
  return async (lines) => {
    await sink.write(lines);
    await sink.flush();
  };
}
