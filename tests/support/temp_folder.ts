import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for one test; disposing it deletes it. */
export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  /** Path of a file in it. */
  file(name: string): string;
}

/** Makes a temporary folder. */
export async function openTempFolder(): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), "eth-test-"));
  return {
    path,
    file: (name) => join(path, name),
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
    },
  };
}
