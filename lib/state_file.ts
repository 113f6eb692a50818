import { open, readFile, rename, rm } from "node:fs/promises";
import { FailureRun } from "./failure_run.ts";
import type { Log } from "./log.ts";
import { OperationalError } from "./operational_error.ts";

const CONTENT = /^(0|[1-9]\d{0,77})\n$/;
const MAX_QUOTED_CHARACTERS = 40;

/**
 * Opens the file that holds the last delivered block; one that does not exist yet is empty.
 *
 * @throws {OperationalError} when it cannot be read, or holds something else
 */
export async function openStateFile(path: string, { log }: { readonly log: Log }): Promise<StateFile> {
  let text = "";
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT")
      throw new OperationalError(`Cannot read the state file ${path}: ${message}`, { cause: error });
    await checkWritable(path);
    return new StateFile(path, { log });
  }
  const [, block] = CONTENT.exec(text) ?? [];
  if (block !== undefined) {
    await checkWritable(path);
    return new StateFile(path, { log, blockNumber: BigInt(block) });
  }
  throw new OperationalError(
    `Cannot use the state file ${path} as it must hold one block number and a newline: it holds ${JSON.stringify(text.slice(0, MAX_QUOTED_CHARACTERS))}; remove it to begin anew`,
  );
}

async function checkWritable(path: string): Promise<void> {
  try {
    await using _ = await open(temporaryOf(path), "w");
  } catch (error) {
    const reason = (error as Error).message;
    throw new OperationalError(`Cannot write the state file ${path}: ${reason}`, { cause: error });
  }
  await rm(temporaryOf(path), { force: true });
}

function temporaryOf(path: string): string {
  return `${path}.new`;
}

/**
 * A file that holds one block number: decimal digits and a newline.
 *
 * Whenever the program or the machine ends, it holds a number that was saved, whole. While one is being written, only
 * the newest of those that follow is kept.
 */
export class StateFile implements AsyncDisposable {
  /** The block number that was in the file when it was opened. */
  readonly blockNumber: bigint | undefined;
  readonly #path: string;
  readonly #failures: FailureRun;
  #unsaved: bigint | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, { log, blockNumber }: { readonly log: Log; readonly blockNumber?: bigint }) {
    this.#path = path;
    this.blockNumber = blockNumber;
    this.#failures = new FailureRun(log);
  }

  /** Saves a block number soon. */
  save(blockNumber: bigint): void {
    this.#unsaved = blockNumber;
    this.#writing ??= this.#writeAll();
  }

  /** Waits until all is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let block; (block = this.#unsaved) !== undefined;) {
      this.#unsaved = undefined;
      try {
        await this.#write(`${block}\n`);
        this.#failures.recovered(`The state file ${this.#path} is written again`);
      } catch (error) {
        // The next block tries again; until then a restart only sends again what is stored already.
        this.#failures.report(`Cannot write the state file ${this.#path}: ${(error as Error).message}`);
      }
    }
    this.#writing = undefined;
  }

  async #write(text: string): Promise<void> {
    const temporary = temporaryOf(this.#path);
    {
      await using file = await open(temporary, "w");
      await file.writeFile(text);
      await file.sync(); // before the rename, or a power cut could leave an empty file under the name
    }
    await rename(temporary, this.#path);
  }
}
