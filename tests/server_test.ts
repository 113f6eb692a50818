import { describe, expect, test } from "bun:test";
import { startServer, type ServerOptions } from "../lib/server.ts";
import { openSqliteStore } from "../lib/store/sqlite.ts";
import { connectNetstring, okFor, type NetstringClient } from "./support/netstring_client.ts";
import { sendAsPeer } from "./support/peer_client.ts";
import { createRecordingLog } from "./support/recording_log.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

const SETTINGS = {
  host: "localhost",
  port: 0,
  maxPayloadBytes: 65_535,
  maxConnections: 1000,
  maxConnectionsPerIp: 1000,
  messageTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
};

/** A server over a database of its own. */
async function openServer(settings: Partial<ServerOptions["settings"]> = {}) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await openTempFolder());
  const store = opened.use(openSqliteStore({ file: folder.file("eth.db") }));
  const log = createRecordingLog();
  const printed: string[] = [];
  const output = async (lines: string) => void printed.push(lines);
  const server = startServer({ settings: { ...SETTINGS, ...settings }, store, output, log });
  opened.defer(() => server.stop({ timeoutMs: 0 }));
  const owned = opened.move();
  return {
    port: server.port,
    store,
    log,
    printedLines: () => printed.join("").split("\n").slice(0, -1),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Connects so many clients at once; disposing closes them. */
async function connectAll(count: number, port: number) {
  const clients = await Promise.all(Array.from({ length: count }, () => connectNetstring({ port })));
  return {
    clients,
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    },
  };
}

function ok(client: NetstringClient): number {
  return client.replies.filter((reply) => reply.startsWith("ok ")).length;
}

describe("startServer()", () => {
  test("acknowledges and stores each of 10,000 messages from 200 connections once", async () => {
    await using server = await openServer();
    await using connected = await connectAll(200, server.port);
    const sent = connected.clients.map((client, index) => {
      const messages = Array.from({ length: 50 }, (_, number) => `client ${index}, message ${number}`);
      for (const message of messages) client.send(message);
      return messages;
    });
    const received = await Promise.all(connected.clients.map((client) => client.receive(50)));
    expect(received).toEqual(sent.map((messages) => messages.map((message) => okFor(message))));

    const hashes = sent.flat().map((message) => okFor(message).slice("ok ".length));
    const rows = await server.store.listHashes({ limit: 20_000 });
    expect(rows.map(({ hash }) => hash).toSorted()).toEqual(hashes.toSorted());
    const pages = await server.store.readPages(hashes.slice(0, 100));
    expect([...pages.values()].toSorted()).toEqual(sent.flat().slice(0, 100).toSorted());
    expect(await server.store.listClients()).toEqual([{ ip: "127.0.0.1", messages: 10_000 }]);
    expect(server.printedLines().length).toBe(10_000);
    expect(server.log.complaints).toEqual([]);
  });

  test("stores the same message from 200 connections once and counts it for each", async () => {
    await using server = await openServer();
    await using connected = await connectAll(200, server.port);
    for (const client of connected.clients) client.send("the same");
    const received = await Promise.all(connected.clients.map((client) => client.receive(1)));
    expect(received).toEqual(Array.from({ length: 200 }, () => [okFor("the same")]));
    expect(await server.store.listHashes({ limit: 10 })).toEqual([
      { hash: okFor("the same").slice("ok ".length), receivedAtSeconds: expect.any(Number) as never },
    ]);
    expect(await server.store.listClients()).toEqual([{ ip: "127.0.0.1", messages: 200 }]);
  });

  test("loses nothing of clients that send, close at once and never read", async () => {
    await using server = await openServer();
    const messages = Array.from({ length: 300 }, (_, number) => `${"x".repeat(number * 100)} ${number}`);
    for (let at = 0; at < messages.length; at += 50) {
      const together = messages.slice(at, at + 50);
      await Promise.all(together.map((message) => sendAsPeer(message, server)));
    }
    const stored = async () => (await server.store.listClients())[0]?.messages === messages.length;
    await until(stored, { what: "all messages" });
    const hashes = messages.map((message) => okFor(message).slice("ok ".length));
    expect([...(await server.store.readPages(hashes)).keys()].toSorted()).toEqual(hashes.toSorted());
    expect(server.log.complaints).toEqual([]);
  });

  test("refuses an empty message and one that is not UTF-8, and goes on", async () => {
    await using server = await openServer();
    await using client = await connectNetstring(server);
    client.send("one", "", Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xed, 0xa0, 0x80), "two");
    expect(await client.receive(5)).toEqual([
      okFor("one"),
      "error empty Cannot store an empty message",
      "error not-utf8 Cannot store the message as it is not valid UTF-8",
      "error not-utf8 Cannot store the message as it is not valid UTF-8",
      okFor("two"),
    ]);
    expect(client.state).toBe("open");
    expect(await server.store.listClients()).toEqual([{ ip: "127.0.0.1", messages: 2 }]);
  });

  test("keeps a byte order mark, and a character that came in two pieces", async () => {
    await using server = await openServer();
    await using client = await connectNetstring(server);
    const payload = "\ufeffé";
    const bytes = Buffer.from(`5:${payload},`);
    for (let cut = 1; cut < bytes.length; cut++) {
      // The answer to a message in front shows that the first piece was read without the second.
      client.write(Buffer.concat([Buffer.from("1:a,"), bytes.subarray(0, cut)]));
      await client.receive(cut * 2 - 1);
      client.write(bytes.subarray(cut));
      expect((await client.receive(cut * 2)).slice(-2)).toEqual([okFor("a"), okFor(payload)]);
    }
    const hash = okFor(payload).slice("ok ".length);
    expect((await server.store.readPages([hash])).get(hash)).toBe(payload);
  });

  test("prints each message on one line that cannot drive a terminal", async () => {
    await using server = await openServer();
    await using client = await connectNetstring(server);
    client.send("a\nb\r\u001b[2J\u007f\u009b\u0000\tc é \u{1f600}");
    await client.receive(1);
    expect(server.printedLines()).toEqual([
      `DATA - 127.0.0.1:${client.localPort} - a\\nb\\x0d\\x1b[2J\\x7f\\x9b\\x00\\x09c é \u{1f600}`,
    ]);
  });

  test("shows and stores IPv6 addresses whole, and IPv4 ones as such on the same port", async () => {
    await using server = await openServer({ host: "::" });
    await using six = await connectNetstring({ host: "::1", port: server.port });
    six.send("six");
    await six.receive(1);
    await using four = await connectNetstring({ host: "127.0.0.1", port: server.port });
    four.send("four");
    await four.receive(1);
    expect(server.printedLines()).toEqual([
      `DATA - [::1]:${six.localPort} - six`,
      `DATA - 127.0.0.1:${four.localPort} - four`,
    ]);
    expect(await server.store.listClients()).toEqual([
      { ip: "::1", messages: 1 },
      { ip: "127.0.0.1", messages: 1 },
    ]);
  });

  test("acknowledges once printed when it has no store", async () => {
    const printed: string[] = [];
    const output = async (lines: string) => void printed.push(lines);
    const server = startServer({ settings: SETTINGS, output, log: createRecordingLog() });
    await using client = await connectNetstring(server);
    client.send("hello");
    expect(await client.receive(1)).toEqual([okFor("hello")]);
    expect(printed).toEqual([`DATA - 127.0.0.1:${client.localPort} - hello\n`]);
    client.shutdown();
    await server.stop({ timeoutMs: 5000 });
  });

  test("stop() answers what has arrived though nobody reads the output", async () => {
    await using server = await openServer();
    const output = () => new Promise<void>(() => {});
    const stopping = startServer({ settings: SETTINGS, store: server.store, output, log: server.log });
    await using client = await connectNetstring({ port: stopping.port });
    for (const message of ["first", "second", "third"]) client.send(message);
    await client.receive(1);
    const stopped = stopping.stop({ timeoutMs: 30_000 });
    expect(await client.receive(3)).toEqual(["first", "second", "third"].map(okFor));
    client.shutdown();
    await stopped;
    expect(await server.store.countPages()).toBe(3);
  });

  test("stop() answers what has arrived, and what is being received", async () => {
    await using server = await openServer();
    const stopping = startServer({
      settings: SETTINGS,
      store: server.store,
      output: async () => {},
      log: server.log,
    });
    await using connected = await connectAll(3, stopping.port);
    const [idle, partial, busy] = connected.clients as [NetstringClient, NetstringClient, NetstringClient];
    partial.send("first");
    partial.write("6:sec");
    await partial.receive(1);
    for (let number = 0; number < 200; number++) busy.send(`message ${number}`);
    await busy.receive(1);
    const stopped = stopping.stop({ timeoutMs: 30_000 });
    expect(await idle.closed()).toBe("ended");
    partial.write("ond,");
    expect(await partial.receive(2)).toEqual([okFor("first"), okFor("second")]);
    for (const client of connected.clients) {
      expect(await client.closed()).toBe("ended");
      client.shutdown();
    }
    await stopped;
    expect(ok(busy)).toBe(200);
    expect(server.log.complaints).toEqual([]);
    await expect(connectNetstring(stopping)).rejects.toThrow();
  });

  test("stop() goes on for the time that balancers need, and refuses the empty message otherwise", async () => {
    const server = startServer({ settings: SETTINGS, output: async () => {}, log: createRecordingLog() });
    await using before = await connectNetstring(server);
    before.send("", "hello");
    expect(await before.receive(2)).toEqual(["error empty Cannot store an empty message", okFor("hello")]);
    const stopped = server.stop({ delayMs: 300, timeoutMs: 5000 });
    await using during = await connectNetstring(server);
    during.send("", "hello");
    expect(await during.receive(2)).toEqual([
      "error unavailable Cannot take more as the server is about to stop",
      okFor("hello"),
    ]);
    for (const client of [before, during]) {
      expect(await client.closed()).toBe("ended");
      client.shutdown();
    }
    await stopped;
  });
});
