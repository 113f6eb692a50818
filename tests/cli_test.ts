import { describe, expect, test } from "bun:test";
import { readCommandLine, renderHelp, UsageError, type Entry } from "../lib/cli.ts";
import type { Flags } from "../lib/flags.ts";
import { clientFlags } from "../lib/settings/client.ts";
import { serverFlags } from "../lib/settings/server.ts";
import { statsFlags } from "../lib/settings/stats.ts";
import { startEntry } from "./support/program.ts";
import { openTempFolder } from "./support/temp_folder.ts";

function entryOf<const F extends Flags>(name: string, flags: F): Entry<F> {
  return { name, version: "1.2.3", summary: "Does something", flags, examples: [`bun ${name}.ts`] };
}

const client = entryOf("client", clientFlags);
const server = entryOf("server", serverFlags);
const stats = entryOf("stats", statsFlags);

type Environment = Readonly<Record<string, string>>;

function settingsOf<F extends Flags>(entry: Entry<F>, argv: readonly string[], env: Environment = {}) {
  const request = readCommandLine(entry, { argv, env });
  if (request.kind !== "run") throw new Error(`Expected settings, got ${request.kind}`);
  return request.settings;
}

function complaintOf<F extends Flags>(
  entry: Entry<F>,
  argv: readonly string[],
  env: Environment = {},
): string {
  try {
    readCommandLine(entry, { argv, env });
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`Expected a UsageError for ${argv.join(" ")}`);
}

const INTERVAL = "expected a number of seconds from 0.1 to 86400";
const PORT = "expected a whole number from 0 to 65535";

/** Command lines of the server and what is said of them. */
const WRONG_FOR_SERVER: readonly (readonly [argv: readonly string[], said: string])[] = [
  [["--porf", "1"], "Cannot use --porf as there is no such flag: did you mean --port?"],
  [["--sqlit=x"], "Cannot use --sqlit as there is no such flag: did you mean --sqlite?"],
  [["--PORT", "1"], "Cannot use --PORT as there is no such flag"],
  [["-x"], "Cannot use -x as there is no such flag: --help lists them all"],
  [["-p", "1"], "Cannot use -p as there is no such flag"],
  [["--something-else"], "Cannot use --something-else as there is no such flag: --help lists them all"],
  [["--no-verbose"], "Cannot use --no-verbose as there is no such flag"],
  [["--port"], "Cannot use --port without a value: expected PORT"],
  [["--port", ""], "Cannot use --port without a value: expected PORT"],
  [["--port="], "Cannot use --port without a value: expected PORT"],
  [["--port", "--verbose"], "Cannot use --port without a value: expected PORT"],
  [["--port", "--host=x"], "Cannot use --port without a value: expected PORT"],
  [["--port", "1", "--port", "2"], "Cannot use --port more than once: it was 1 and then 2"],
  [["--port=1", "--port=1"], "Cannot use --port more than once: it was 1 and then 1"],
  [["-v", "--verbose"], "Cannot use --verbose more than once"],
  [["--port", "abc"], `Cannot use --port with the value "abc": ${PORT}`],
  [["--port", "70000"], `Cannot use --port with the value "70000": ${PORT}`],
  [["--port", "65536"], `Cannot use --port with the value "65536": ${PORT}`],
  [["--port", "-1"], `Cannot use --port with the value "-1": ${PORT}`],
  [["--port", "0x10"], `Cannot use --port with the value "0x10": ${PORT}`],
  [["--port", "1e3"], `Cannot use --port with the value "1e3": ${PORT}`],
  [["--port", "1.5"], `Cannot use --port with the value "1.5": ${PORT}`],
  [["--port", " 1"], `Cannot use --port with the value " 1": ${PORT}`],
  [["--verbose=maybe"], 'Cannot use --verbose with the value "maybe": expected nothing behind it'],
  [["--verbose="], "Cannot use --verbose without a value: expected true or false"],
  [["--verbose", "false"], 'Cannot use the word "false": expected flags only'],
  [["port", "1"], 'Cannot use the word "port": expected flags only; did you mean --port?'],
  [["stray"], 'Cannot use the word "stray": expected flags only'],
  [[""], 'Cannot use the word "": expected flags only'],
  [["--"], "Cannot use -- as there is no such flag"],
  [["--log-format", "xml"], 'Cannot use --log-format with the value "xml": expected one of text, json'],
  [["--max-payload", "65536"], 'Cannot use --max-payload with the value "65536": expected a whole number'],
  [["--max-payload", "0"], 'Cannot use --max-payload with the value "0": expected a whole number'],
  [["--wait", "soon"], 'Cannot use --wait with the value "soon": expected a number of seconds'],
];

const WRONG_FOR_CLIENT: readonly (readonly [argv: readonly string[], said: string])[] = [
  [["--interval", "0"], `Cannot use --interval with the value "0": ${INTERVAL}`],
  [["--interval", "0.09"], `Cannot use --interval with the value "0.09": ${INTERVAL}`],
  [["--interval", "-5"], `Cannot use --interval with the value "-5": ${INTERVAL}`],
  [["--interval", "5s"], `Cannot use --interval with the value "5s": ${INTERVAL}`],
  [["--interval", "Infinity"], `Cannot use --interval with the value "Infinity": ${INTERVAL}`],
  [["--intervall", "5"], "Cannot use --intervall as there is no such flag: did you mean --interval?"],
  [["--port", "0"], 'Cannot use --port with the value "0": expected a whole number from 1 to 65535'],
  [["--rpc-url", "localhost:8545"], "Cannot use --rpc-url with that value: expected http"],
  [["--rpc-url", "http://a,"], "Cannot use --rpc-url with that value: expected http"],
  [["--rpc-url", "ftp://a"], "Cannot use --rpc-url with that value: expected http"],
  [["--ack", "maybe"], 'Cannot use --ack with the value "maybe": expected one of auto, required, off'],
];

describe("readCommandLine()", () => {
  test("gives the defaults", () => {
    expect(settingsOf(server, [])).toMatchObject({
      host: "localhost",
      port: 9999,
      sqlite: "eth.db",
      noStore: false,
      maxPayloadBytes: 65_535,
      drainTimeoutMs: 10_000,
      verbose: false,
      waitMs: 0,
      logFormat: "text",
    });
    expect(settingsOf(stats, [])).toMatchObject({ host: "localhost", port: 5000, sqlite: "eth.db" });
    const { rpcUrls, ...rest } = settingsOf(client, []);
    expect(rest).toMatchObject({ intervalMs: 5000, rpcTimeoutMs: 5000, ack: "auto", once: false });
    expect(rpcUrls.length).toBeGreaterThan(1);
  });

  test("reads a flag and its value in either form", () => {
    const inTwo = settingsOf(server, ["--port", "1", "-v", "--wait", "0.5", "--sqlite", "a=b"]);
    expect(inTwo).toMatchObject({ port: 1, verbose: true, waitMs: 500, sqlite: "a=b" });
    expect(settingsOf(server, ["--port=1", "--verbose", "--wait=0.5", "--sqlite=a=b"])).toEqual(inTwo);
    expect(settingsOf(server, ["--verbose=false"]).verbose).toBe(false);
  });

  test("joins a repeated list and one with commas", () => {
    const argv = ["--rpc-url", "http://a", "--rpc-url=https://b/key, http://c"];
    expect(settingsOf(client, argv).rpcUrls).toEqual(["http://a", "https://b/key", "http://c"]);
  });

  test("knows wrong command lines", () => {
    expect(WRONG_FOR_SERVER.length + WRONG_FOR_CLIENT.length).toBeGreaterThan(40);
  });

  test.each(WRONG_FOR_SERVER)("refuses %p of the server", (argv, said) => {
    expect(complaintOf(server, argv)).toStartWith(said);
  });

  test.each(WRONG_FOR_CLIENT)("refuses %p of the client", (argv, said) => {
    expect(complaintOf(client, argv)).toStartWith(said);
  });

  test("prefers a flag to the entry's variable, that to the shared one, and that to the default", () => {
    const shared = { ETH_PORT: "1", ETH_STATS_PORT: "4" };
    const own = { ...shared, ETH_SERVER_PORT: "2" };
    expect([
      settingsOf(server, ["--port", "3"], own).port,
      settingsOf(server, [], own).port,
      settingsOf(server, [], shared).port,
      settingsOf(server, [], { PORT: "5" }).port,
    ]).toEqual([3, 2, 1, 9999]);
  });

  test("takes what Kubernetes tells of a service for no port", () => {
    const env = { REDIS_PORT: "tcp://10.0.0.1:6379", ETH_PORT: "tcp://10.0.0.2:9999", MYSQL_PORT: "3307" };
    expect(settingsOf(server, [], env)).toMatchObject({ redisPort: undefined, port: 9999, mysqlPort: 3307 });
  });

  test("takes an empty variable for an absent one", () => {
    expect(settingsOf(server, [], { ETH_SERVER_PORT: "", ETH_PORT: "7" }).port).toBe(7);
    expect(settingsOf(server, [], { ETH_SERVER_PORT: "", ETH_VERBOSE: "" })).toMatchObject({
      port: 9999,
      verbose: false,
    });
  });

  test("reads switches and lists from variables", () => {
    const env = { ETH_VERBOSE: "true", ETH_CLIENT_ONCE: "1", ETH_RPC_URL: "http://a,http://b" };
    expect(settingsOf(client, [], env)).toMatchObject({
      verbose: true,
      once: true,
      rpcUrls: ["http://a", "http://b"],
    });
  });

  test("names the variable that cannot be used", () => {
    expect(complaintOf(server, [], { ETH_SERVER_PORT: "abc" })).toBe(
      `Cannot use ETH_SERVER_PORT with the value "abc": ${PORT}`,
    );
    expect(complaintOf(client, [], { ETH_VERBOSE: "maybe" })).toStartWith("Cannot use ETH_VERBOSE with");
  });

  test("asks for help or the version wherever they stand", () => {
    const kinds = [["--help"], ["-h"], ["--port", "1", "--help"], ["--version"]].map(
      (argv) => readCommandLine(server, { argv, env: {} }).kind,
    );
    expect(kinds).toEqual(["help", "help", "help", "version"]);
  });
});

describe("renderHelp()", () => {
  test.each([
    ["client", client],
    ["server", server],
    ["stats", stats],
  ] as const)("names every flag of the %s, its unit and its default", async (_, entry) => {
    const help = Bun.stripANSI(await renderHelp(entry as Entry<Flags>));
    const flags = Object.values(entry.flags as Flags);
    expect(flags.length).toBeGreaterThan(5);
    for (const { flag, placeholder, description, default: value, defaultText } of flags) {
      expect(help).toContain(placeholder ? `--${flag}=<${placeholder}>` : `--${flag}`);
      expect(help).toContain(description);
      if (placeholder && (defaultText ?? value)) expect(help).toContain(`(Default: ${defaultText ?? value})`);
    }
  });
});

describe("an entry", () => {
  test.each(["client.ts", "server.ts", "stats.ts"])("%s prints its help on stdout", async (entry) => {
    await using program = startEntry([entry, "--help"]);
    const { status, stdout, stderr } = await program.ended;
    expect({ status, stderr, examples: stdout.match(/^ {2}bun .*\.ts/gm)?.length }).toEqual({
      status: 0,
      stderr: "",
      examples: 2,
    });
    expect(stdout).toContain(`ETH_${entry.replace(".ts", "").toUpperCase()}_<FLAG>`);
  });

  test.each(["client.ts", "server.ts", "stats.ts"])("%s exits with 2 when used wrongly", async (entry) => {
    await using program = startEntry([entry, "--port", "abc"]);
    expect(await program.ended).toEqual({
      status: 2,
      stdout: "",
      stderr: expect.stringMatching(
        /^Cannot use --port with the value "abc": expected a whole number from \d to 65535\nSee bun \w+\.ts --help\n$/,
      ) as never,
    });
  });

  test("says in JSON too why it cannot go on", async () => {
    await using program = startEntry(["server.ts", "--log-format", "json", "--sqlite", "/missing/eth.db"]);
    const { status, stderr } = await program.ended;
    const message = "Cannot open the database file /missing/eth.db: there is no folder /missing";
    expect([status, JSON.parse(stderr)]).toEqual([1, expect.objectContaining({ level: "error", message })]);
  });

  test("reads the environment, and .env by itself", async () => {
    await using folder = await openTempFolder();
    await Bun.write(folder.file(".env"), "ETH_SERVER_PORT=70000\n");
    await using fromFile = startEntry(["server.ts"], { cwd: folder.path });
    expect((await fromFile.ended).stderr).toStartWith('Cannot use ETH_SERVER_PORT with the value "70000"');
    await using fromEnvironment = startEntry(["server.ts"], { env: { ETH_PORT: "abc" } });
    expect(await fromEnvironment.ended).toMatchObject({ status: 2, stdout: "" });
  });
});
