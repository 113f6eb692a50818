import { describe, expect, test } from "bun:test";
import manifest from "../package.json" with { type: "json" };
import { connectNetstring } from "./support/netstring_client.ts";
import { startEntry, startProgram, ROOT } from "./support/program.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

describe("runEntry()", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("ends each entry by %s with status 0", async (signal) => {
    await using folder = await openTempFolder();
    const options = { cwd: folder.path };
    await using server = startEntry(["server.ts", "--port", "0"], options);
    await using stats = startEntry(["stats.ts", "--port", "0"], options);
    await using client = startEntry(["client.ts", "--rpc-url", "http://127.0.0.1:1"], options);
    await Promise.all([server.port(), stats.port(), client.match(/No endpoint answers/)]);
    for (const program of [server, stats, client]) program.kill(signal);
    const ends = await Promise.all([server.ended, stats.ended, client.ended]);
    expect(ends.map(({ status }) => status)).toEqual([0, 0, 0]);
  });

  test("takes a signal that comes twice at once for one", async () => {
    await using server = startEntry(["server.ts", "--port", "0", "--no-store"]);
    await using client = await connectNetstring({ port: await server.port() });
    client.send("hello");
    client.write("5:wor");
    await client.receive(1);
    server.kill("SIGINT");
    server.kill("SIGINT");
    await server.match(/Stopping/);
    server.kill("SIGINT");
    client.write("ld,");
    await client.receive(2);
    client.shutdown();
    expect(await server.ended).toMatchObject({ status: 0, stderr: expect.stringContaining("Stopped") });
  });

  test("ends at once, with status 1, by a second signal", async () => {
    await using server = startEntry(["server.ts", "--port=0", "--no-store", "--drain-timeout=3600"]);
    await using client = await connectNetstring({ port: await server.port() });
    client.send("hello");
    client.write("5:wor");
    await client.receive(1);
    server.kill("SIGTERM");
    await server.match(/Stopping/);
    await until(() => {
      server.kill("SIGTERM");
      return server.hasEnded;
    });
    expect((await server.ended).status).toBe(1);
  });

  test("ends while it waits before its start", async () => {
    await using client = startEntry(["client.ts", "--wait", "3600"]);
    await client.match(/Waiting 3600 s/);
    client.kill("SIGTERM");
    expect(await client.ended).toMatchObject({ status: 0, stderr: expect.not.stringContaining("Watching") });
  });

  test("prints one sentence and exits with 1 when the port is taken", async () => {
    await using first = startEntry(["server.ts", "--port", "0", "--no-store"]);
    const port = await first.port();
    for (const entry of ["server.ts", "stats.ts"]) {
      await using second = startEntry([entry, "--port", String(port)]);
      expect(await second.ended).toEqual({
        status: 1,
        stdout: "",
        stderr: `Cannot listen on localhost:${port}: another program listens there; choose another --port\n`,
      });
    }
  });

  test("prints one sentence and exits with 1 when the file cannot be opened", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("missing/eth.db");
    await using server = startEntry(["server.ts", "--port", "0", "--sqlite", file]);
    expect(await server.ended).toEqual({
      status: 1,
      stdout: "",
      stderr: `Cannot open the database file ${file}: there is no folder ${folder.file("missing")}\n`,
    });
  });

  test("ends the scripts of `bun start` by one Ctrl-C, with status 0", async () => {
    await using folder = await openTempFolder();
    const scripts = {
      ...manifest.scripts,
      server: `bun ${ROOT}/server.ts --port 0`,
      stats: `bun ${ROOT}/stats.ts --port 0`,
      client: `bun ${ROOT}/client.ts --rpc-url http://127.0.0.1:1`,
    };
    await Bun.write(folder.file("package.json"), JSON.stringify({ scripts }));
    await using start = startProgram([process.execPath, "start"], { cwd: folder.path, detached: true });
    await start.match(/server \| .*Listening/);
    await start.match(/stats {2}\| .*Listening/);
    await start.match(/client \| .*No endpoint answers/);
    start.killGroup("SIGINT");
    const { status, stderr } = await start.ended;
    expect({
      status,
      stopped: stderr.match(/Stopped$/gm),
      failed: stderr.match(/Exited with.*/g),
    }).toEqual({
      status: 0,
      stopped: ["Stopped", "Stopped"],
      failed: null,
    });
  });
});
