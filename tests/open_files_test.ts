import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { fitConnections, readOpenFilesLimit } from "../lib/open_files.ts";
import { connectNetstring, okFor, type NetstringClient } from "./support/netstring_client.ts";
import { ROOT, startProgram } from "./support/program.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

/** Starts a server that may open so many files; Bun raises a soft limit by itself. */
function startLimitedServer(files: number, cwd: string) {
  const command = `ulimit -n ${files} && exec "$0" "$1" --port 0`;
  return startProgram(["sh", "-c", command, process.execPath, join(ROOT, "server.ts")], { cwd });
}

describe("fitConnections()", () => {
  test("leaves what was asked for where there is room, or nothing is known", () => {
    expect(fitConnections(16_384, 20_000)).toEqual({ maxConnections: 16_384, maxRefused: 256 });
    expect(fitConnections(16_384)).toEqual({ maxConnections: 16_384, maxRefused: 256 });
  });

  test("takes as many as leave room for refusals and other files", () => {
    expect(fitConnections(16_384, 1024)).toEqual({ maxConnections: 720, maxRefused: 240 });
    expect(fitConnections(16_384, 256)).toEqual({ maxConnections: 144, maxRefused: 48 });
    expect(fitConnections(100, 256)).toEqual({ maxConnections: 100, maxRefused: 48 });
  });

  test("refuses where there is no room", () => {
    expect(() => fitConnections(10, 64)).toThrow(
      'Cannot serve with 64 open files: raise "ulimit -n" to 128 or more',
    );
  });
});

test("readOpenFilesLimit() tells the limit where the system does", () => {
  const limit = readOpenFilesLimit();
  if (process.platform === "linux") expect(limit).toBeGreaterThan(0);
  else expect(limit).toBeUndefined();
});

describe.skipIf(process.platform !== "linux")("a server with few open files", () => {
  test("says so, refuses what is too much as busy, and takes all again later", async () => {
    await using folder = await openTempFolder();
    await using server = startLimitedServer(256, folder.path);
    const port = await server.port();
    await server.match(
      /warn +Taking 144 connections at a time instead of 16384, as "ulimit -n" allows 256 open/,
    );
    await using clients = new AsyncDisposableStack();
    const connected: NetstringClient[] = [];
    for (let count = 0; count < 400; count++) connected.push(clients.use(await connectNetstring({ port })));
    for (const client of connected) client.send("hello");
    const answered = () => connected.filter(({ replies, state }) => replies.length > 0 || state !== "open");
    await until(() => answered().length === connected.length, { what: "an answer to all" });
    const replies = connected.map((client) => client.replies[0]?.slice(0, 10) ?? "cut");
    const counts = Map.groupBy(replies, (reply) => reply);
    expect(counts.get(okFor("hello").slice(0, 10))?.length).toBe(144);
    expect(counts.get("error busy")?.length).toBeGreaterThanOrEqual(48);
    await clients.disposeAsync();
    await using late = await until(async () => {
      const client = await connectNetstring({ port });
      client.send("late");
      return (await client.receive(1))[0] === okFor("late") && client;
    });
    expect(late.state).toBe("open");
  });

  test("does not start with too few of them", async () => {
    await using folder = await openTempFolder();
    await using server = startLimitedServer(64, folder.path);
    const { status, stderr } = await server.ended;
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'Cannot serve with 64 open files: raise "ulimit -n" to 128 or more\n',
    });
  });
});
