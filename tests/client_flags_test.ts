import { describe, expect, test } from "bun:test";
import { readCommandLine, UsageError } from "../lib/cli.ts";
import { checkClientSettings, clientFlags, type ClientSettings } from "../lib/settings/client.ts";
import { startEntry } from "./support/program.ts";

const entry = {
  name: "client",
  version: "0",
  summary: "",
  examples: [],
  flags: clientFlags,
  check: checkClientSettings,
};

function read(...argv: readonly string[]): ClientSettings {
  const request = readCommandLine(entry, { argv, env: {} });
  if (request.kind !== "run") throw new Error("Expected a request to run");
  return request.settings;
}

function refusalOf(argv: readonly string[]): string {
  try {
    read(...argv);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`Expected ${argv.join(" ")} to be refused`);
}

const SERVER = "expected HOST:PORT, an IPv6 address in brackets, the port from 1 to 65535";
const URLS = "expected http://, https://, ws:// or wss:// addresses, separated by commas";
const CHAIN = "expected a chain's number in decimal";
const STALL = "expected a number of seconds from 0.1 to 86400";
const GAP = "expected a whole number from 1 to 1000000000";

const WRONG: readonly (readonly [line: string, said: string])[] = [
  ["--rpc-url ftp://host", `Cannot use --rpc-url with that value: ${URLS}`],
  [
    "--rpc-url ws://host/key#x",
    "Cannot use --rpc-url with that value: expected addresses without a fragment",
  ],
  ["--rpc-url ws://", `Cannot use --rpc-url with that value: ${URLS}`],
  ["--stall-timeout 0", `Cannot use --stall-timeout with the value "0": ${STALL}`],
  ["--stall-timeout soon", `Cannot use --stall-timeout with the value "soon": ${STALL}`],
  ["--chain-id mainnet", `Cannot use --chain-id with the value "mainnet": ${CHAIN}`],
  ["--chain-id 0x1", `Cannot use --chain-id with the value "0x1": ${CHAIN}`],
  ["--chain-id 0", `Cannot use --chain-id with the value "0": ${CHAIN}`],
  ["--emit-missed=maybe", "Cannot use --emit-missed with the value"],
  ["--emit-missed --max-gap 0", `Cannot use --max-gap with the value "0": ${GAP}`],
  ["--emit-missed --max-gap 1.5", `Cannot use --max-gap with the value "1.5": ${GAP}`],
  ["--max-gap 5", "Cannot use --max-gap without --emit-missed"],
  ["--state", "Cannot use --state without a value: expected FILE"],
  ["--state a --state b", "Cannot use --state more than once: it was a and then b"],
  ["--state a --ack off", "Cannot use --state with --ack off: it holds the last acknowledged block"],
  ["--server host", `Cannot use --server with the value "host": ${SERVER}`],
  ["--server host:", `Cannot use --server with the value "host:": ${SERVER}`],
  ["--server :9999", `Cannot use --server with the value ":9999": ${SERVER}`],
  ["--server host:0", `Cannot use --server with the value "host:0": ${SERVER}`],
  ["--server host:70000", `Cannot use --server with the value "host:70000": ${SERVER}`],
  ["--server ::1:9999", `Cannot use --server with the value "::1:9999": ${SERVER}`],
  ["--server [::1]", `Cannot use --server with the value "[::1]": ${SERVER}`],
  ["--server [:::1]:9999", `Cannot use --server with the value "[:::1]:9999": ${SERVER}`],
  ["--server [host]:9999", `Cannot use --server with the value "[host]:9999": ${SERVER}`],
  ["--server a:1,,b:2", `Cannot use --server with the value "a:1,,b:2": ${SERVER}`],
  ["--persistent=5", "Cannot use --persistent with the value"],
  ["--persistent --ack off", "Cannot use --persistent with --ack off: without answers a break would lose"],
  ["--tls-ca ca", "Cannot use --tls-ca without --tls"],
  ["--tls-cert c --tls-key k", "Cannot use --tls-cert without --tls"],
  ["--tls-key k", "Cannot use --tls-key without --tls"],
  ["--tls-server-name n", "Cannot use --tls-server-name without --tls"],
  ["--tls --tls-cert c", "Cannot use --tls-cert without --tls-key"],
  ["--tls --tls-key k", "Cannot use --tls-key without --tls-cert"],
  ["--tls --tls-ca", "Cannot use --tls-ca without a value: expected FILE"],
  ["--tls yes", 'Cannot use the word "yes": expected flags only'],
];

describe("the client's flags", () => {
  test.each(WRONG)("refuse %s", (line, said) => {
    expect(refusalOf(line.split(" "))).toStartWith(said);
  });

  test("end the client with 2 and a sentence", async () => {
    await using client = startEntry(["client.ts", "--tls", "--tls-cert", "cert.pem"]);
    expect(await client.ended).toEqual({
      status: 2,
      stdout: "",
      stderr: "Cannot use --tls-cert without --tls-key\nSee bun client.ts --help\n",
    });
  });

  test("end the client with 1 and a sentence when the state file is another's", async () => {
    await using client = startEntry(["client.ts", "--state", "package.json", "--rpc-url=http://127.0.0.1:1"]);
    const { status, stderr } = await client.ended;
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^Cannot use the state file package.json as it must hold .*\n$/),
    });
  });

  test("take servers by repetition and by commas", () => {
    const { servers, host, port } = read("--server", "a:1,[::1]:2", "--server", "10.0.0.1:65535");
    expect({ servers, host, port }).toEqual({
      servers: [
        { host: "a", port: 1 },
        { host: "::1", port: 2 },
        { host: "10.0.0.1", port: 65_535 },
      ],
      host: undefined,
      port: undefined,
    });
  });

  test("take WebSocket addresses beside others, and a chain", () => {
    const urls = "wss://a/key,http://b";
    const { rpcUrls, chainId, stallTimeoutMs } = read(
      `--rpc-url=${urls}`,
      "--chain-id=11155111",
      "--stall-timeout=1.5",
    );
    expect({ rpcUrls, chainId, stallTimeoutMs }).toEqual({
      rpcUrls: ["wss://a/key", "http://b"],
      chainId: 11_155_111n,
      stallTimeoutMs: 1500,
    });
  });
});
