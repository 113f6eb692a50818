import { describe, expect, test } from "bun:test";
import { readCommandLine } from "../lib/cli.ts";
import { checkServerSettings, serverFlags } from "../lib/settings/server.ts";

const ENTRY = {
  name: "server",
  version: "0.0.0",
  summary: "",
  examples: [],
  flags: serverFlags,
  check: checkServerSettings,
};

const MYSQL = {
  "--mysql-host": "db",
  "--mysql-user": "eth",
  "--mysql-pass": "secret",
  "--mysql-db": "eth",
};

function read(argv: readonly string[], env: Record<string, string> = {}) {
  return readCommandLine(ENTRY, { argv, env });
}

describe("checkServerSettings()", () => {
  const WRONG = [
    [["--use-redis"], "--use-redis called without --redis-host"],
    [["--use-mysql", ...without("--mysql-host")], "--use-mysql called without --mysql-host"],
    [["--use-mysql", ...without("--mysql-user")], "--use-mysql called without --mysql-user"],
    [["--use-mysql", ...without("--mysql-pass")], "--use-mysql called without --mysql-pass"],
    [["--use-mysql", ...without("--mysql-db")], "--use-mysql called without --mysql-db"],
    [
      ["--no-store", "--use-redis", "--redis-host", "cache"],
      "Cannot use --no-store together with --use-redis",
    ],
    [["--mysql-ca", "ca.pem"], "Cannot use --mysql-ca without --mysql-tls"],
    [["--tls-cert", "a.pem"], "Cannot use --tls-cert without --tls-key"],
    [["--tls-key", "a.pem"], "Cannot use --tls-key without --tls-cert"],
    [["--tls-client-ca", "a.pem"], "Cannot use --tls-client-ca without --tls-cert"],
    [["--proxy-protocol"], "Cannot use --proxy-protocol without --proxy-trust"],
    [["--proxy-trust", "10.0.0.0/8"], "Cannot use --proxy-trust without --proxy-protocol"],
    [
      ["--proxy-protocol", "--proxy-trust", "10.0.0.1", "--tls-cert", "a", "--tls-key", "b"],
      "Cannot use --proxy-protocol together with --tls-cert: the balancer speaks TLS then",
    ],
    [
      ["--proxy-trust", "10.0.0.0/33"],
      'Cannot use --proxy-trust with the value "10.0.0.0/33": expected addresses or ranges such as 10.0.0.0/8, separated by commas',
    ],
  ] as const;

  test.each(WRONG)("refuses %p", (argv, message) => {
    expect(() => read(argv)).toThrow(message);
  });

  test("takes what is needed from the flags, the server's variables or the shared ones", () => {
    const env = { MYSQL_HOST: "shared", ETH_MYSQL_HOST: "all", MYSQL_PASS: "p", ETH_SERVER_MYSQL_DB: "d" };
    const request = read(["--use-mysql", "--mysql-user", "u"], env);
    expect(request).toMatchObject({
      kind: "run",
      settings: { mysqlHost: "all", mysqlUser: "u", mysqlPass: "p", mysqlDb: "d", mysqlPort: undefined },
    });
  });

  test("takes ranges of balancers, by repetition or commas", () => {
    const request = read([
      "--proxy-protocol",
      "--proxy-trust",
      "10.0.0.0/8, ::1",
      "--proxy-trust",
      "1.2.3.4",
    ]);
    expect(request).toMatchObject({
      kind: "run",
      settings: { proxyTrust: [{ bits: 8 }, { bits: 128 }, { bits: 32 }] },
    });
  });

  test("shows no secret in an error", () => {
    for (const argv of [["--mysql-pass", "secret1", "--mysql-pass", "secret2"], ["--redis-pass="]])
      expect(() => read(argv)).not.toThrow(/secret\d/);
  });
});

function without(flag: keyof typeof MYSQL): string[] {
  return Object.entries(MYSQL).flatMap(([name, value]) => (name === flag ? [] : [name, value]));
}
