import { describe, expect, test } from "bun:test";
import { Printer } from "../lib/printer.ts";
import { connectNetstring } from "./support/netstring_client.ts";
import { startEntry } from "./support/program.ts";
import { createRecordingLog } from "./support/recording_log.ts";

describe("Printer", () => {
  test("print() writes one line a message, all at once", async () => {
    const written: string[] = [];
    const printer = new Printer({
      output: async (lines) => void written.push(lines),
      log: createRecordingLog(),
    });
    const messages = [
      { ip: "127.0.0.1", port: 1, payload: "a\nb" },
      { ip: "::1", port: 2, payload: "\u001b[2J" },
    ];
    expect(await printer.print(messages)).toBe(true);
    expect(written).toEqual(["DATA - 127.0.0.1:1 - a\\nb\nDATA - [::1]:2 - \\x1b[2J\n"]);
  });

  test("print() tells that it failed, warns once and says when it works again", async () => {
    const log = createRecordingLog();
    let isBroken = true;
    const output = async () => {
      if (isBroken) throw new Error("broken pipe");
    };
    const printer = new Printer({ output, log });
    const printed = [await printer.print([]), await printer.print([])];
    isBroken = false;
    printed.push(await printer.print([]));
    expect({ printed, lines: log.lines.filter((line) => !line.startsWith("debug")) }).toEqual({
      printed: [false, false, true],
      lines: ["warn Cannot print messages: broken pipe", "info Messages are printed again after 2 failures"],
    });
  });

  test("giveUp() waits no longer for a reader, and says so", async () => {
    const log = createRecordingLog();
    const printer = new Printer({ output: () => new Promise(() => {}), log });
    const printing = printer.print([]);
    printer.giveUp();
    expect([await printing, await printer.print([])]).toEqual([false, false]);
    expect(log.lines).toEqual(["warn Printing no more, as nobody reads what was printed"]);
  });
});

describe("openStdout()", () => {
  test("writes one line a message on stdout and nothing else", async () => {
    await using server = startEntry(["server.ts", "--port=0", "--no-store", "--verbose"]);
    await using client = await connectNetstring({ port: await server.port() });
    client.send("one", "two\n");
    await client.receive(2);
    client.shutdown();
    server.kill("SIGTERM");
    const from = `DATA - 127.0.0.1:${client.localPort} -`;
    expect((await server.ended).stdout).toBe(`${from} one\n${from} two\\n\n`);
  });
});
