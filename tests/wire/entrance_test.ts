import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { parseCidr, type Cidr } from "../../lib/wire/cidr.ts";
import type { Limit } from "../../lib/wire/limits.ts";
import { startListener, type ListenOptions } from "../../lib/wire/listen.ts";
import { makeCertificates } from "../support/certificates.ts";
import { connectNetstring, frame, type NetstringClientOptions } from "../support/netstring_client.ts";
import { addresses, headerV2 } from "../support/proxy_header.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { openTempFolder } from "../support/temp_folder.ts";
import { until } from "../support/until.ts";

const LONG_MS = 60_000;
/** Short, as it is waited for; the listener looks every 100 ms. */
const SHORT_MS = 150;

/** A listener that answers with the sender's address in place of a hash. */
function openListener(options: Partial<ListenOptions> = {}) {
  const log = createRecordingLog();
  const senders: string[] = [];
  const listener = startListener({
    host: "0.0.0.0",
    port: 0,
    maxPayloadBytes: 65_535,
    maxConnections: 1000,
    maxConnectionsPerIp: 1000,
    messageTimeoutMs: LONG_MS,
    idleTimeoutMs: LONG_MS,
    log,
    onMessage: ({ peer }) => {
      senders.push(`${peer.ip} ${peer.port}`);
      return { kind: "ok", hash: peer.ip };
    },
    ...options,
  });
  return {
    listener,
    log,
    senders,
    connect: (from: Partial<NetstringClientOptions> = {}) =>
      connectNetstring({ port: listener.port, ...from }),
    /** What was counted, without the zeros. */
    limited: () =>
      Object.fromEntries(Object.entries(listener.counts.limited).filter(([, count]) => count > 0)) as Partial<
        Record<Limit, number>
      >,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

function trust(...ranges: string[]): readonly Cidr[] {
  return ranges.flatMap((range) => parseCidr(range) ?? []);
}

describe("a listener with a limit per address", () => {
  test("refuses one address beyond it as busy, and takes others and those that come later", async () => {
    await using opened = openListener({ maxConnectionsPerIp: 2 });
    await using first = await opened.connect();
    await using second = await opened.connect();
    await using third = await opened.connect();
    await using other = await opened.connect({ localAddress: "127.0.0.2" });
    for (const client of [first, second, third, other]) client.send("hello");
    expect(await third.receive(1)).toEqual([
      "error busy Cannot take more than 2 connections at a time from one address",
    ]);
    expect(await third.closed()).toBe("ended");
    expect([await first.receive(1), await second.receive(1), await other.receive(1)]).toEqual([
      ["ok 127.0.0.1"],
      ["ok 127.0.0.1"],
      ["ok 127.0.0.2"],
    ]);
    await first[Symbol.asyncDispose]();
    await until(() => opened.listener.connectionCount === 3);
    await using fourth = await opened.connect();
    fourth.send("hello");
    expect(await fourth.receive(1)).toEqual(["ok 127.0.0.1"]);
    expect({ ...opened.listener.counts, limited: opened.limited() }).toEqual({
      accepted: 5,
      limited: { "max-connections-per-ip": 1 },
    });
    expect(opened.log.complaints).toEqual([
      expect.stringMatching(/^warn Closed the connection of 127.0.0.1:\d+ as busy: .* one address$/) as never,
    ]);
  });

  test("keeps few of those it refuses, and closes the oldest of them", async () => {
    await using opened = openListener({ maxConnectionsPerIp: 1, maxRefused: 3 });
    await using taken = await opened.connect();
    taken.send("hello");
    await taken.receive(1);
    await using clients = new AsyncDisposableStack();
    const refused = [];
    for (let count = 0; count < 20; count++) {
      const client = clients.use(await opened.connect());
      client.send("hello");
      await client.receive(1);
      refused.push(client);
    }
    expect(refused.map(({ replies }) => replies.length)).toEqual(refused.map(() => 1));
    await until(() => opened.listener.connectionCount <= 1 + 3);
    expect(refused.some(({ state }) => state === "reset")).toBe(false);
    taken.send("hello");
    expect((await taken.receive(2)).length).toBe(2);
    expect(opened.log.complaints.length).toBe(1);
  });
});

describe("a listener that keeps too much", () => {
  test("refuses messages that do not arrive whole as busy, and takes those that do", async () => {
    await using opened = openListener({ inFlight: { maxKeptBytes: 100_000 } });
    await using clients = new AsyncDisposableStack();
    const slow = [];
    for (let count = 0; count < 8; count++) {
      const client = clients.use(await opened.connect());
      client.write(`60000:${"x".repeat(30_000)}`);
      slow.push(client);
    }
    await until(() => (opened.limited()["max-in-flight"] ?? 0) >= 5);
    expect(
      slow.map(({ replies }) => replies[0]?.slice(0, 10)).filter((reply) => reply === "error busy").length,
    ).toBe(5);
    await using good = await opened.connect();
    good.send("hello");
    expect(await good.receive(1)).toEqual(["ok 127.0.0.1"]);
    for (const client of slow) client.write(`${"x".repeat(30_000)},`);
    const whole = () => opened.senders.length === 1 + 3;
    await until(whole);
    await using late = await opened.connect();
    late.write(`60000:${"x".repeat(30_000)}`);
    late.write(`${"x".repeat(30_000)},`);
    expect(await late.receive(1)).toEqual(["ok 127.0.0.1"]);
  });

  test("cuts those that do not read their answers", async () => {
    await using opened = openListener({
      inFlight: { maxKeptBytes: 50_000 },
      onMessage: () => ({ kind: "error", code: "empty", reason: "x".repeat(4000) }),
    });
    await using client = await opened.connect();
    client.pause();
    for (let round = 0; round < 100; round++) client.write("0:,".repeat(1000));
    await until(() => opened.listener.connectionCount === 0 || opened.limited()["max-in-flight"] === 1);
    expect(opened.limited()).toEqual({ "max-in-flight": 1 });
  });

  test("keeps few answers to a flood of tiny messages whose sender does not read", async () => {
    let messages = 0;
    await using opened = openListener({
      onMessage: ({ payload }) => {
        if (payload.length > 0) return { kind: "ok", hash: "ping" };
        messages++;
        return { kind: "error", code: "empty", reason: "x".repeat(4000) };
      },
    });
    await using client = await opened.connect();
    client.pause();
    client.write("0:,".repeat(500_000));
    await using other = await opened.connect();
    let before = -1;
    for (let quiet = 0; quiet < 5; quiet = messages === before ? quiet + 1 : 0) {
      before = messages;
      other.send("ping");
      await other.receive(other.replies.length + 1);
    }
    // What one connection may owe, and what the network's own buffers hold of it.
    expect(messages).toBeLessThan(20_000);
  });
});

describe("a listener behind a balancer", () => {
  const trustedProxies = trust("127.0.0.1", "10.0.0.0/8");

  test("takes the true address of versions 1 and 2, over IPv4 and IPv6, whatever the cut", async () => {
    await using opened = openListener({ trustedProxies });
    const v4 = Buffer.from("PROXY TCP4 203.0.113.7 10.0.0.1 56324 9999\r\n");
    const v6 = headerV2({
      family: 0x21,
      body: addresses([0x20, 1, 0xd, 0xb8, ...Array.from({ length: 11 }, () => 0), 9], 443),
    });
    for (const header of [v4, v6]) {
      const whole = Buffer.concat([header, frame("hello")]);
      for (let cut = 1; cut < whole.length; cut += 7) {
        await using client = await opened.connect();
        client.write(whole.subarray(0, cut));
        await until(() => opened.listener.connectionCount > 0);
        client.write(whole.subarray(cut));
        await client.receive(1);
      }
    }
    expect([...new Set(opened.senders)]).toEqual(["203.0.113.7 56324", "2001:db8::9 443"]);
  });

  test("takes the connection's own address where the header names none", async () => {
    await using opened = openListener({ trustedProxies });
    for (const header of [
      "PROXY UNKNOWN\r\n",
      headerV2({ command: 0x20, family: 0 }),
      headerV2({ family: 0 }),
    ]) {
      await using client = await opened.connect();
      client.write(Buffer.concat([Buffer.from(header), frame("hello")]));
      expect(await client.receive(1)).toEqual(["ok 127.0.0.1"]);
    }
  });

  test("refuses an address that is not trusted, with and without a header", async () => {
    await using opened = openListener({ trustedProxies });
    for (const bytes of [
      "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n",
      "",
      headerV2({ body: addresses([127, 0, 0, 1], 1) }),
    ]) {
      await using client = await opened.connect({ localAddress: "127.0.0.2" });
      client.write(Buffer.concat([Buffer.from(bytes), frame("hello")]));
      expect(await client.receive(1)).toEqual([
        "error malformed Cannot take messages from an address that is not among those of --proxy-trust",
      ]);
      expect(await client.closed()).toBe("ended");
    }
    expect({ limited: opened.limited(), senders: opened.senders }).toEqual({
      limited: { "proxy-trust": 3 },
      senders: [],
    });
  });

  test("refuses a balancer that sends no header, or a hostile one, and closes", async () => {
    await using opened = openListener({ trustedProxies });
    for (const bytes of [
      frame("hello"),
      Buffer.from("PROXY TCP4 x y 1 2\r\n"),
      headerV2({ command: 0x2f }),
    ]) {
      await using client = await opened.connect();
      client.write(bytes);
      expect((await client.receive(1))[0]).toStartWith("error malformed Cannot read PROXY header as ");
      expect(await client.closed()).toBe("ended");
    }
    expect(opened.limited()).toEqual({ "proxy-header": 3 });
  });

  test("cuts a balancer whose header does not come in time, and says nothing to one that leaves before", async () => {
    await using opened = openListener({ trustedProxies, messageTimeoutMs: SHORT_MS });
    await using client = await opened.connect();
    client.write("PROXY TCP4 ");
    expect(["closed", "reset", "ended"]).toContain(await client.closed());
    expect(opened.limited()).toEqual({ "proxy-header": 1 });
    const check = await opened.connect();
    await check[Symbol.asyncDispose]();
    await until(() => opened.listener.connectionCount === 0);
    expect([client.replies, opened.log.complaints.length]).toEqual([[], 1]);
  });

  test("limits the true addresses, and speaks only after the sender's first byte", async () => {
    await using opened = openListener({ trustedProxies, maxConnectionsPerIp: 1 });
    const connectFrom = async (ip: string) => {
      const client = await opened.connect();
      client.write(`PROXY TCP4 ${ip} 10.0.0.1 1000 9999\r\n`);
      return client;
    };
    await using one = await connectFrom("203.0.113.1");
    one.send("hello");
    await one.receive(1);
    await using same = await connectFrom("203.0.113.1");
    await using other = await connectFrom("203.0.113.2");
    other.send("hello");
    expect(await other.receive(1)).toEqual(["ok 203.0.113.2"]);
    expect(same.replies).toEqual([]);
    same.send("hello");
    expect((await same.receive(1))[0]).toStartWith("error busy ");
    expect(opened.log.complaints[0]).toStartWith("warn Closed the connection of 203.0.113.1:1000 as busy");
  });
});

describe("a listener that speaks TLS", () => {
  test("takes many messages, a sender that has closed its side, and refuses what is malformed", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    const read = (path: string) => readFileSync(path, "utf8");
    await using opened = openListener({ tls: { cert: read(files.cert), key: read(files.key) } });
    const tls = { ca: read(files.ca) };
    await using client = await opened.connect({ tls });
    client.send(...Array.from({ length: 1000 }, () => "x".repeat(1000)));
    client.write("0x");
    expect((await client.receive(1001)).at(-1)).toStartWith("error malformed ");
    expect(await client.closed()).toBe("ended");
    await using closing = await opened.connect({ tls });
    closing.send("hello");
    closing.shutdown();
    expect(await closing.receive(1)).toEqual(["ok 127.0.0.1"]);
    expect(opened.limited()).toEqual({ malformed: 1 });
  });

  test("refuses as busy, too", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    const read = (path: string) => readFileSync(path, "utf8");
    await using opened = openListener({
      tls: { cert: read(files.cert), key: read(files.key) },
      maxConnectionsPerIp: 1,
    });
    const tls = { ca: read(files.ca) };
    await using one = await opened.connect({ tls });
    one.send("hello");
    await one.receive(1);
    await using two = await opened.connect({ tls });
    two.send("hello");
    expect((await two.receive(1))[0]).toStartWith("error busy ");
    expect(await two.closed()).toBe("ended");
  });

  test("limits the connections of one address before their handshake, too", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    const read = (path: string) => readFileSync(path, "utf8");
    await using opened = openListener({
      tls: { cert: read(files.cert), key: read(files.key) },
      maxConnections: 4,
      maxConnectionsPerIp: 2,
    });
    await using silent = new AsyncDisposableStack();
    for (let count = 0; count < 8; count++) silent.use(await opened.connect({ localAddress: "127.0.0.9" }));
    await until(() => opened.listener.connectionCount === 8);
    await using other = await opened.connect({ tls: { ca: read(files.ca) } });
    other.send("hello");
    expect(await other.receive(1)).toEqual(["ok 127.0.0.1"]);
  });

  test("takes only clients whose certificate comes from the authority, when it has one", async () => {
    await using folder = await openTempFolder();
    const [files, stranger] = [makeCertificates(folder), makeCertificates(folder, "stranger")];
    const read = (path: string) => readFileSync(path, "utf8");
    await using opened = openListener({
      tls: { cert: read(files.cert), key: read(files.key), clientCa: read(files.ca) },
    });
    const ca = read(files.ca);
    await using good = await opened.connect({ tls: { ca, cert: read(files.cert), key: read(files.key) } });
    good.send("hello");
    expect(await good.receive(1)).toEqual(["ok 127.0.0.1"]);
    for (const own of [{}, { cert: read(stranger.cert), key: read(stranger.key) }]) {
      // A client believes in its handshake before the server has judged its certificate.
      await connectNetstring({ port: opened.listener.port, tls: { ca, ...own } }).then(
        async (client) => {
          client.send("hello");
          await client.closed();
          await client[Symbol.asyncDispose]();
        },
        () => {},
      );
    }
    await until(() => opened.limited().tls === 2);
    expect(opened.senders.length).toBe(1);
  });

  test("cuts a handshake that takes too long or is none, and says nothing to one that leaves before", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    const read = (path: string) => readFileSync(path, "utf8");
    await using opened = openListener({
      tls: { cert: read(files.cert), key: read(files.key) },
      messageTimeoutMs: SHORT_MS,
    });
    const check = await opened.connect();
    await check[Symbol.asyncDispose]();
    await until(() => opened.listener.connectionCount === 0);
    expect([opened.limited(), opened.log.complaints]).toEqual([{}, []]);
    await using silent = await opened.connect();
    await using partial = await opened.connect();
    partial.write(Uint8Array.of(0x16, 3, 1, 0));
    await using plain = await opened.connect();
    plain.send("hello");
    for (const client of [silent, partial, plain]) expect(await client.closed()).not.toBe("open" as never);
    await until(() => opened.listener.connectionCount === 0);
    expect([opened.limited(), opened.senders]).toEqual([{ tls: 3 }, []]);
  });
});
