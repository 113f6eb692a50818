import { describe, expect, test } from "bun:test";
import { readCommandLine, UsageError } from "../lib/cli.ts";
import { statsFlags } from "../lib/settings/stats.ts";
import { startStats } from "../lib/stats.ts";
import { openSqliteStore } from "../lib/store/sqlite.ts";
import { createRecordingLog } from "./support/recording_log.ts";
import { openTempFolder } from "./support/temp_folder.ts";

const ENTRY = { name: "stats", version: "0", summary: "", flags: statsFlags, examples: [] };

function readAuth(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const request = readCommandLine(ENTRY, { argv, env });
  return request.kind === "run" ? request.settings.auth : request.kind;
}

describe("--auth", () => {
  test("comes from the flag, the environment or a file", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("auth");
    await Bun.write(file, "file:secret\n");
    expect(readAuth([])).toBeUndefined();
    expect(readAuth(["--auth", "anna:a:b"])).toEqual({ user: "anna", password: "a:b" });
    expect(readAuth([], { STATS_AUTH: "env:secret" })).toEqual({ user: "env", password: "secret" });
    expect(readAuth([], { STATS_AUTH_FILE: file })).toEqual({ user: "file", password: "secret" });
    expect(readAuth([], { ETH_STATS_AUTH: "own:secret", STATS_AUTH: "env:secret" })).toEqual({
      user: "own",
      password: "secret",
    });
    expect(readAuth(["--auth=flag:1"], { STATS_AUTH: "env:2" })).toEqual({ user: "flag", password: "1" });
  });

  test("both a value and a file are refused, and no error shows the secret", () => {
    const wrong = [
      () => readAuth([], { STATS_AUTH: "anna:hidden", STATS_AUTH_FILE: "/x" }),
      () => readAuth([], { STATS_AUTH: "hidden" }),
      () => readAuth(["--auth", "hidden"]),
      () => readAuth(["--auth", ":hidden"]),
      () => readAuth(["--auth", "anna:hidden", "--auth", "anna:hidden"]),
    ];
    const messages = wrong.map((read) => {
      try {
        return read();
      } catch (error) {
        return error instanceof UsageError ? error.message : error;
      }
    });
    expect(messages).toEqual([
      "Cannot use both STATS_AUTH and STATS_AUTH_FILE: expected one of them",
      "Cannot use STATS_AUTH with that value: expected a user, a colon and a password",
      "Cannot use --auth with that value: expected a user, a colon and a password",
      "Cannot use --auth with that value: expected a user, a colon and a password",
      "Cannot use --auth more than once",
    ]);
  });
});

describe("startStats()", () => {
  const CASES = [
    ["localhost", undefined, []],
    ["127.0.0.1", undefined, []],
    ["0.0.0.0", { user: "a", password: "b" }, []],
    [
      "0.0.0.0",
      undefined,
      ["warn Everybody who reaches 0.0.0.0 may look: choose a user and a password with --auth"],
    ],
  ] as const;
  test.each(CASES)("on %s with auth %p complains of %p", async (host, auth, complaints) => {
    await using store = openSqliteStore({ file: ":memory:" });
    const log = createRecordingLog();
    await using stats = startStats({ settings: { host, port: 0, auth }, pages: store, stats: store, log });
    const status = (await fetch(`http://127.0.0.1:${stats.port}/_cat`)).status;
    expect({ status, complaints: log.complaints }).toEqual({
      status: auth ? 401 : 200,
      complaints: [...complaints],
    });
  });
});
