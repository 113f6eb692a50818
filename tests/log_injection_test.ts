import { expect, test } from "bun:test";
import { connectNetstring, frame } from "./support/netstring_client.ts";
import { startEntry } from "./support/program.ts";
import { createRandom } from "./support/random.ts";
import { openTempFolder } from "./support/temp_folder.ts";

/** What would forge a line, end a JSON text, or drive a terminal. */
const HOSTILE = [
  '\n{"level":"error","message":"forged"}\n',
  "\r\nDATA - 1.2.3.4:5 - forged\r\n",
  '"}\n{"a":"',
  "\u001b[2J\u001b]0;title\u0007\u009b31m",
  "\u0000\u0007\b\t\u007f\u0085\u2028\u2029",
  "%s %d %o %j",
];
/** Control characters but the newline, which ends each line. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

test("whatever a sender puts in, logs are JSON line by line, and each message is one printed line", async () => {
  await using folder = await openTempFolder();
  const trust = ["--proxy-protocol", "--proxy-trust", "127.0.0.1"];
  const flags = ["--log-format", "json", "--verbose", "--port", "0", "--sqlite", folder.file("eth.db")];
  const random = createRandom(7);
  for (const more of [[], trust]) {
    await using server = startEntry(["server.ts", ...flags, ...more]);
    const port = await server.port();
    const header = more.length > 0 ? "PROXY UNKNOWN\r\n" : "";
    await using good = await connectNetstring({ port });
    good.write(header);
    good.send(...HOSTILE);
    await good.receive(HOSTILE.length);
    for (const text of HOSTILE) {
      const noise = Uint8Array.from({ length: 40 }, () => random() * 256);
      const asMessage = [
        `${header}${text}`,
        `${header}5:${text}`,
        `${header}99999${text}`,
        `PROXY ${text}\r\n`,
      ];
      const streams = [
        ...asMessage.map((bytes) => Buffer.from(bytes)),
        noise,
        Buffer.concat([frame(text), noise]),
      ];
      for (const stream of streams) {
        await using client = await connectNetstring({ port });
        client.write(stream);
        client.shutdown();
        await client.closed();
      }
    }
    server.kill("SIGTERM");
    const { stdout, stderr } = await server.ended;
    const lines = stderr.split("\n").slice(0, -1);
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) {
      const entry = JSON.parse(line) as Record<string, unknown>;
      expect(Object.keys(entry)).toEqual(["time", "level", "message"]);
      expect(entry["message"]).not.toBe("forged");
    }
    const printed = stdout.split("\n").slice(0, -1);
    expect(printed.length).toBeGreaterThanOrEqual(HOSTILE.length);
    expect(printed.every((line) => /^DATA - 127\.0\.0\.1:\d+ - /.test(line))).toBe(true);
    expect({ stdout: CONTROL.test(stdout), stderr: CONTROL.test(stderr) }).toEqual({
      stdout: false,
      stderr: false,
    });
  }
}, 30_000);

test("a key and a password are in no log, however much is logged", async () => {
  await using folder = await openTempFolder();
  const env = { MYSQL_PASS: "secret-mysql", REDIS_PASS: "secret-redis" };
  const stores = [
    "--use-mysql",
    "--mysql-host",
    "127.0.0.1",
    "--mysql-port",
    "1",
    "--mysql-user",
    "u",
    "--mysql-db",
    "d",
  ];
  const flags = ["--verbose", "--port", "0", "--store-timeout", "0.2", "--spool", folder.file("spool.db")];
  await using server = startEntry(
    ["server.ts", ...flags, ...stores, "--use-redis", "--redis-host", "127.0.0.1"],
    { env },
  );
  const { status, stdout, stderr } = await server.ended;
  expect(status).toBe(1);
  expect(stdout + stderr).not.toContain("secret");

  await Bun.write(
    folder.file("key.pem"),
    "-----BEGIN PRIVATE KEY-----\nsecret-key\n-----END PRIVATE KEY-----\n",
  );
  const tls = [
    "--tls-cert",
    folder.file("key.pem"),
    "--tls-key",
    folder.file("key.pem"),
    "--no-store",
    "--verbose",
  ];
  await using refused = startEntry(["server.ts", "--port", "0", ...tls]);
  const end = await refused.ended;
  expect(end.status).toBe(1);
  expect(end.stderr).toStartWith("Cannot use the files of the --tls flags: ");
  expect(end.stdout + end.stderr).not.toContain("secret");
});
