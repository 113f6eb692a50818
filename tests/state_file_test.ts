import { describe, expect, test } from "bun:test";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { openStateFile } from "../lib/state_file.ts";
import { createRecordingLog } from "./support/recording_log.ts";
import { openTempFolder } from "./support/temp_folder.ts";

const log = createRecordingLog();

describe("StateFile", () => {
  test("save() keeps the newest number, which the next start finds", async () => {
    await using folder = await openTempFolder();
    const path = folder.file("state");
    {
      await using state = await openStateFile(path, { log });
      expect(state.blockNumber).toBeUndefined();
      for (let number = 0n; number <= 500n; number++) state.save(number);
    }
    await using again = await openStateFile(path, { log });
    expect(again.blockNumber).toBe(500n);
    expect(await Bun.file(path).text()).toBe("500\n");
    expect(await readdir(folder.path)).toEqual(["state"]);
  });

  test.each(["", "5", "x\n", "-1\n", "05\n", "5\n6\n", '{"block":5}\n', "\0\0\0", `${"9".repeat(79)}\n`])(
    "openStateFile() refuses a file that holds %p",
    async (text) => {
      await using folder = await openTempFolder();
      await writeFile(folder.file("state"), text);
      await expect(openStateFile(folder.file("state"), { log })).rejects.toThrow(
        /^Cannot use the state file .*state as it must hold one block number and a newline: it holds ".*"; remove it/,
      );
    },
  );

  test("openStateFile() passes over what a write left that was cut", async () => {
    await using folder = await openTempFolder();
    await writeFile(folder.file("state"), "7\n");
    await writeFile(folder.file("state.new"), "");
    const state = await openStateFile(folder.file("state"), { log });
    expect(state.blockNumber).toBe(7n);
  });

  test("openStateFile() says when a file cannot be read", async () => {
    await using folder = await openTempFolder();
    await expect(openStateFile(folder.path, { log })).rejects.toThrow(/^Cannot read the state file /);
  });

  test("openStateFile() says at once when a file cannot be written", async () => {
    await using folder = await openTempFolder();
    const path = folder.file("missing/state");
    const opening = openStateFile(path, { log: createRecordingLog() });
    await expect(opening).rejects.toThrow(`Cannot write the state file ${path}: ENOENT`);
    expect(await readdir(folder.path)).toEqual([]);
  });

  test("save() warns once of a folder that is gone, and goes on", async () => {
    await using folder = await openTempFolder();
    const own = createRecordingLog();
    const path = folder.file("gone/state");
    await mkdir(folder.file("gone"));
    await using state = await openStateFile(path, { log: own });
    await rm(folder.file("gone"), { recursive: true });
    for (const number of [1n, 2n]) {
      state.save(number);
      await state[Symbol.asyncDispose]();
    }
    await mkdir(folder.file("gone"));
    state.save(3n);
    await state[Symbol.asyncDispose]();
    expect(await Bun.file(path).text()).toBe("3\n");
    expect(own.complaints.length).toBe(1);
    expect(own.lines.at(-1)).toMatch(/^info The state file .* is written again after 2 failures$/);
  });
});
