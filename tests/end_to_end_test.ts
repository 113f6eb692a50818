import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { renderBlockPage } from "../lib/block_page.ts";
import { startAnvil } from "./support/anvil.ts";
import { connectNetstring, okFor, type NetstringClient } from "./support/netstring_client.ts";
import { ROOT, startEntry, startProgram, type Program } from "./support/program.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

function startServer(file: string): Program {
  return startEntry(["server.ts", "--port", "0", "--sqlite", file]);
}

async function readText(url: string): Promise<string> {
  return (await fetch(url)).text();
}

function storedHashes(file: string): Set<string> {
  using database = new Database(file, { readonly: true });
  const rows = database.query<{ hash: string }, []>("SELECT hash FROM ethereum_data").all();
  return new Set(rows.map(({ hash }) => hash));
}

/** Keeps sending until the connection ends, a few messages ahead of the replies. */
async function stream(client: NetstringClient, name: string): Promise<void> {
  const ahead = 50;
  for (let sent = 0; client.state === "open";) {
    while (sent < client.replies.length + ahead) client.send(`${name} ${sent++}`);
    await client.receive(sent - ahead / 2);
  }
}

function acknowledged(clients: readonly NetstringClient[]): string[] {
  return clients.flatMap(({ replies }) =>
    replies.filter((reply) => reply.startsWith("ok ")).map((reply) => reply.slice("ok ".length)),
  );
}

/** Streams over some connections and ends the server by a signal in the midst. */
async function endAmidStream(server: Program, signal: NodeJS.Signals) {
  const port = await server.port();
  await using clients = new AsyncDisposableStack();
  const connected = await Promise.all(Array.from({ length: 4 }, () => connectNetstring({ port })));
  for (const client of connected) clients.use(client);
  const streams = connected.map((client, index) => stream(client, `client ${index}, message`));
  await until(() => acknowledged(connected).length > 500, { what: "500 acknowledgements" });
  server.kill(signal);
  await Promise.all(streams);
  return { hashes: acknowledged(connected), states: connected.map(({ state }) => state) };
}

describe("the three programs", () => {
  test("store the page of each block of a real chain and list it to the byte", async () => {
    await using folder = await openTempFolder();
    await using chain = await startAnvil();
    const file = folder.file("eth.db");
    await using stats = startEntry(["stats.ts", "--port", "0", "--sqlite", file]);
    await using server = startServer(file);
    const cat = `http://127.0.0.1:${await stats.port()}/_cat`;
    const port = await server.port();
    await using client = startEntry([
      "client.ts",
      `--port=${port}`,
      `--rpc-url=${chain.url}`,
      "--interval=0.1",
    ]);
    await client.match(/Block 0 is delivered and acknowledged/);
    const blocks = [0];
    for (const step of [1, 1, 3, 1]) {
      const block = await chain.mine(step);
      await client.match(new RegExp(`Block ${block} is delivered and acknowledged`));
      blocks.push(block);
    }
    expect(blocks).toEqual([0, 1, 2, 5, 6]);

    const pages = blocks.map((block) => renderBlockPage(BigInt(block)));
    const hashes = pages.map((page) => okFor(page).slice("ok ".length));
    const listed = [...(await readText(`${cat}/hashes`)).matchAll(/^[0-9a-f]{64}/gm)].map(([hash]) => hash);
    expect(listed).toEqual(hashes.toReversed());
    expect(await Promise.all(hashes.map((hash) => readText(`${cat}/hashes/${hash}`)))).toEqual(pages);
    expect(await readText(`${cat}/clients`)).toBe("client       count\n127.0.0.1        5");
    expect(server.stdout.match(/^DATA - 127\.0\.0\.1:\d+ - <!doctype html>\\n.*<\/html>$/gm)).toHaveLength(5);

    for (const program of [client, server, stats]) program.kill("SIGINT");
    const ends = await Promise.all([client.ended, server.ended, stats.ended]);
    expect(ends.map(({ status }) => status)).toEqual([0, 0, 0]);
  });

  test("client --once sends the current block and exits with 0", async () => {
    await using folder = await openTempFolder();
    await using chain = await startAnvil();
    await using server = startServer(folder.file("eth.db"));
    const port = String(await server.port());
    const block = await chain.mine(7);
    await using client = startEntry(["client.ts", "--once", "--port", port, "--rpc-url", chain.url]);
    expect(await client.ended).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(`Block ${block} is delivered and acknowledged`),
    });
  });
});

describe("a server that is ended amid a stream", () => {
  test("by SIGKILL has stored all that it acknowledged", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("eth.db");
    await using server = startServer(file);
    const { hashes } = await endAmidStream(server, "SIGKILL");
    expect((await server.ended).status).not.toBe(0);

    await using restarted = startServer(file);
    await using client = await connectNetstring({ port: await restarted.port() });
    client.send("after the restart");
    expect(await client.receive(1)).toEqual([okFor("after the restart")]);
    const stored = storedHashes(file);
    expect(hashes.length).toBeGreaterThan(500);
    expect(hashes.filter((hash) => !stored.has(hash))).toEqual([]);
  });

  test("by SIGTERM has stored all that it acknowledged, and exits with 0", async () => {
    await using folder = await openTempFolder();
    const file = folder.file("eth.db");
    await using server = startServer(file);
    const { hashes, states } = await endAmidStream(server, "SIGTERM");
    expect(states).toEqual(["ended", "ended", "ended", "ended"]);
    expect(await server.ended).toMatchObject({ status: 0, stderr: expect.not.stringContaining("Cut") });
    const stored = storedHashes(file);
    expect(hashes.length).toBeGreaterThan(500);
    expect(hashes.filter((hash) => !stored.has(hash))).toEqual([]);
  });
});

describe("a clone without node_modules", () => {
  test("starts and stores a message", async () => {
    await using folder = await openTempFolder();
    const clone = folder.file("clone");
    await using git = startProgram(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone]);
    expect(await git.ended).toMatchObject({ status: 0 });
    await using server = startProgram([process.execPath, "server.ts", "--port", "0"], { cwd: clone });
    await using client = await connectNetstring({ port: await server.port() });
    client.send("hello");
    expect(await client.receive(1)).toEqual([okFor("hello")]);
    expect(await Bun.file(`${clone}/node_modules`).exists()).toBe(false);
    expect(storedHashes(`${clone}/eth.db`).size).toBe(1);
  });
});
