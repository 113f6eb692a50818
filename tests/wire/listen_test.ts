import { describe, expect, test } from "bun:test";
import { startListener, type ListenOptions } from "../../lib/wire/listen.ts";
import type { Reply } from "../../lib/wire/reply.ts";
import { connectNetstring, frame, type NetstringClient } from "../support/netstring_client.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { until, within } from "../support/until.ts";

const LONG_MS = 60_000;
/** Short, as it is waited for; the listener looks every 100 ms. */
const SHORT_MS = 150;

/** A message that was taken in and waits for the test to answer it. */
interface Taken {
  readonly text: string;
  readonly answer: (reply?: Reply) => void;
}

/** Acknowledges with the payload in place of a hash, so that order shows. */
function acknowledge(text: string): Reply {
  return { kind: "ok", hash: text };
}

/** A listener that answers at once, but for payloads that begin with "later", which wait for the test. */
function openListener(options: Partial<ListenOptions> = {}) {
  const log = createRecordingLog();
  const taken: Taken[] = [];
  const listener = startListener({
    host: "localhost",
    port: 0,
    maxPayloadBytes: 65_535,
    maxConnections: 100,
    maxConnectionsPerIp: 1000,
    messageTimeoutMs: LONG_MS,
    idleTimeoutMs: LONG_MS,
    log,
    onMessage: ({ payload }) => {
      const text = Buffer.from(payload).toString();
      if (text === "refused") return { kind: "error", code: "empty", reason: "Cannot take it" };
      if (!text.startsWith("later")) return acknowledge(text);
      const { promise, resolve } = Promise.withResolvers<Reply>();
      taken.push({ text, answer: (reply = acknowledge(text)) => resolve(reply) });
      return promise;
    },
    ...options,
  });
  return {
    listener,
    log,
    taken,
    connect: () => connectNetstring(listener),
    takenOf: (count: number) => until(() => taken.length >= count && taken, { what: `${count} messages` }),
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

/** Sends a message and waits for its reply, which shows that all before it was read. */
async function roundTrip(client: NetstringClient, text = "ping"): Promise<void> {
  client.send(text);
  await client.receive(client.replies.length + 1);
}

describe("a listener", () => {
  test("answers 20 messages in one segment, in order", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    const texts = Array.from({ length: 20 }, (_, number) => `message ${number}`);
    client.send(...texts);
    expect(await client.receive(20)).toEqual(texts.map((text) => `ok ${text}`));
  });

  test("answers a message that trickles in byte by byte", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    for (const byte of frame("slow")) {
      client.write(Uint8Array.of(byte));
      await using other = await opened.connect();
      await roundTrip(other);
    }
    expect(await client.receive(1)).toEqual(["ok slow"]);
  });

  test("answers in order, with a refusal between messages that are answered later", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    client.send("later 1", "refused", "later 2", "at once");
    const [first, second] = (await opened.takenOf(2)) as [Taken, Taken];
    await using other = await opened.connect();
    second.answer();
    await roundTrip(other);
    expect(client.replies).toEqual([]);
    first.answer();
    expect(await client.receive(4)).toEqual([
      "ok later 1",
      "error empty Cannot take it",
      "ok later 2",
      "ok at once",
    ]);
    expect(client.state).toBe("open");
  });

  test("still answers a sender that has closed its side", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    client.send("at once", "later");
    client.shutdown();
    const [taken] = (await opened.takenOf(1)) as [Taken];
    await client.receive(1);
    taken.answer();
    expect(await client.receive(2)).toEqual(["ok at once", "ok later"]);
    expect(await client.closed()).toBe("ended");
  });

  test("refuses what is malformed, behind the replies that are due, and closes without a reset", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    client.write(`${frame("later 1")}${frame("later 2")}05:hello,`);
    for (const taken of await opened.takenOf(2)) taken.answer();
    expect(await client.receive(3)).toEqual([
      "ok later 1",
      "ok later 2",
      'error malformed Cannot read netstring as its length must not begin with a zero: current value is "5"',
    ]);
    // What a sender had under way is thrown away, as a reset would destroy the replies it has not read.
    client.write("x".repeat(1_000_000));
    expect(await client.closed()).toBe("ended");
    client.shutdown();
    await until(() => opened.listener.connectionCount === 0);
    expect({ state: client.state, complaints: opened.log.complaints }).toEqual({
      state: "ended",
      complaints: [
        expect.stringMatching(
          /^warn Closed the connection of 127.0.0.1:\d+ as malformed: Cannot read/,
        ) as never,
      ],
    });
  });

  test("refuses a payload above the limit as soon as its length is known", async () => {
    await using opened = openListener({ maxPayloadBytes: 10 });
    await using client = await opened.connect();
    client.send("0123456789");
    client.write("11");
    expect(await client.receive(2)).toEqual([
      "ok 0123456789",
      expect.stringMatching(/^error too-large .*at most 10: /) as never,
    ]);
    expect(await client.closed()).toBe("ended");
  });

  test("refuses a message whose sender closes in the middle of it", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    client.write(`${frame("whole")}5:hel`);
    client.shutdown();
    expect(await client.receive(2)).toEqual([
      "ok whole",
      "error malformed Cannot read netstring as the connection ended in the middle of it",
    ]);
    expect(await client.closed()).toBe("ended");
  });

  test("refuses a message that takes too long, behind the replies that are due", async () => {
    await using opened = openListener({ messageTimeoutMs: SHORT_MS });
    await using client = await opened.connect();
    client.write(`${frame("whole")}5:hel`);
    expect(await client.receive(2)).toEqual([
      "ok whole",
      "error timeout Cannot wait longer as a message must arrive within 0.15 s",
    ]);
    expect(await client.closed()).toBe("ended");
  });

  test("refuses a message that trickles in for too long", async () => {
    await using opened = openListener({ messageTimeoutMs: SHORT_MS });
    await using client = await opened.connect();
    client.write("60000:");
    await until(() => {
      client.write("x");
      return client.replies.length > 0;
    });
    expect(client.replies[0]).toStartWith("error timeout ");
  });

  test("closes a silent connection without a word, and not one that waits for its answer", async () => {
    await using opened = openListener({ idleTimeoutMs: SHORT_MS });
    await using waiting = await opened.connect();
    waiting.send("later");
    const [taken] = (await opened.takenOf(1)) as [Taken];
    await using silent = await opened.connect();
    await using quiet = await opened.connect();
    await roundTrip(quiet);
    expect([await silent.closed(), await quiet.closed()]).toEqual(["ended", "ended"]);
    expect([silent.replies, quiet.replies, waiting.state]).toEqual([[], ["ok ping"], "open"]);
    taken.answer();
    expect(await waiting.receive(1)).toEqual(["ok later"]);
  });

  test("takes a connection that opens and closes without a byte for no error", async () => {
    await using opened = openListener();
    for (let count = 0; count < 3; count++) {
      await using client = await opened.connect();
      await until(() => opened.listener.connectionCount > 0);
      expect(client.state).toBe("open");
    }
    await until(() => opened.listener.connectionCount === 0);
    expect(opened.log.lines).toEqual([]);
  });

  test("takes connections that are reset before their turn for no error", async () => {
    await using opened = openListener();
    const { port } = opened.listener;
    const reset = `for (let left = 5; left > 0; left--) await new Promise((resolve) => {
      const socket = require("node:net").connect(${port}, "127.0.0.1", () => socket.resetAndDestroy());
      socket.on("close", resolve);
    });`;
    expect(Bun.spawnSync([process.execPath, "-e", reset]).exitCode).toBe(0); // while the listener cannot have its turn
    await until(() => opened.listener.counts.accepted === 5 && opened.listener.connectionCount === 0);
    expect(opened.log.complaints).toEqual([]);
  });

  test("tells connections above the limit that it is busy, once they have sent something", async () => {
    await using opened = openListener({ maxConnections: 1 });
    await using first = await opened.connect();
    await roundTrip(first);
    await using second = await opened.connect();
    await roundTrip(first);
    expect(second.replies).toEqual([]);
    second.write("5");
    expect(await second.receive(1)).toEqual(["error busy Cannot take more than 1 connections at a time"]);
    expect(await second.closed()).toBe("ended");
    await roundTrip(first);
    expect(opened.taken).toEqual([]);

    second.shutdown();
    await first[Symbol.asyncDispose]();
    await until(() => opened.listener.connectionCount === 0);
    await using third = await opened.connect();
    await roundTrip(third);
    expect(third.replies).toEqual(["ok ping"]);
  });

  test("stops reading at the limit of what is in flight, and goes on when there is room", async () => {
    await using opened = openListener({ inFlight: { maxMessages: 2 } });
    await using client = await opened.connect();
    await using other = await opened.connect();
    const texts = Array.from({ length: 7 }, (_, number) => `later ${number}`);
    client.send(...texts);
    await opened.takenOf(2);
    other.send("later, of another");
    client.send("at once");
    // Nobody is read now, not even who would be answered at once; a new connection is still accepted.
    await using third = await opened.connect();
    third.send("at once");
    await until(() => opened.listener.connectionCount === 3);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect({ taken: opened.taken.map(({ text }) => text), replies: third.replies }).toEqual({
      taken: texts.slice(0, 2),
      replies: [],
    });
    for (let answered = 0; answered < 8; answered++) (await opened.takenOf(answered + 1))[answered]?.answer();
    expect(await client.receive(8)).toEqual([...texts.map((text) => `ok ${text}`), "ok at once"]);
    expect(await other.receive(1)).toEqual(["ok later, of another"]);
    expect(await third.receive(1)).toEqual(["ok at once"]);
  });

  test("counts the bytes in flight too", async () => {
    await using opened = openListener({ inFlight: { maxBytes: 10, maxKeptBytes: 1000 } });
    await using client = await opened.connect();
    client.send("later, and more than ten bytes", "later");
    await opened.takenOf(1);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(opened.taken.length).toBe(1);
    opened.taken[0]?.answer();
    const [, second] = (await opened.takenOf(2)) as [Taken, Taken];
    second.answer();
    expect((await client.receive(2)).length).toBe(2);
  });

  test("reads no more from a sender that does not read its answers, and goes on when it does", async () => {
    let messages = 0;
    await using opened = openListener({
      onMessage: ({ payload }) => {
        if (payload.length < 1000) return acknowledge("ping");
        messages++;
        return { kind: "error", code: "empty", reason: "x".repeat(4000) };
      },
    });
    await using client = await opened.connect();
    client.pause();
    const total = 5000;
    client.send(...Array.from({ length: total }, () => "a".repeat(1000)));
    await using other = await opened.connect();
    let before = -1;
    while (messages !== before) {
      before = messages;
      for (let turn = 0; turn < 20; turn++) await roundTrip(other);
    }
    expect(messages).toBeGreaterThan(0);
    expect(messages).toBeLessThan(total);
    client.resume();
    expect((await client.receive(total)).length).toBe(total);
  });

  test("cuts a sender that never reads its answers", async () => {
    await using opened = openListener({
      idleTimeoutMs: SHORT_MS,
      onMessage: () => ({ kind: "error", code: "empty", reason: "x".repeat(4000) }),
    });
    await using client = await opened.connect();
    client.pause();
    client.send(...Array.from({ length: 5000 }, () => "a"));
    await until(() => opened.listener.connectionCount === 1);
    await until(() => opened.listener.connectionCount === 0);
  });

  test("cuts a connection that its handler fails, says so and keeps the others", async () => {
    await using opened = openListener({
      onMessage: ({ payload }) => {
        if (payload.length > 1) throw new Error("a defect");
        return acknowledge("fine");
      },
    });
    await using failing = await opened.connect();
    await using other = await opened.connect();
    failing.send("aa");
    expect(await failing.closed()).not.toBe("open");
    await roundTrip(other, "a");
    expect(opened.log.complaints).toEqual([
      expect.stringMatching(/^error Cannot go on with a connection: Error: a defect/) as never,
    ]);
  });
});

describe("drain()", () => {
  test("finishes the message that is being received, and no other", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    await using idle = await opened.connect();
    client.write(`${frame("whole")}4:par`);
    await client.receive(1);
    const drained = opened.listener.drain({ timeoutMs: LONG_MS });
    expect(await idle.closed()).toBe("ended");
    client.write(`t,${frame("too late")}`);
    expect(await client.closed()).toBe("ended");
    expect(client.replies).toEqual(["ok whole", "ok part"]);
    client.shutdown();
    idle.shutdown();
    expect(await within(drained)).toBe(0);
  });

  test("takes the first message of a connection that is as new as that, and waits for none for long", async () => {
    await using opened = openListener();
    await using late = await opened.connect();
    await using silent = await opened.connect();
    await until(() => opened.listener.connectionCount === 2);
    const drained = opened.listener.drain({ timeoutMs: LONG_MS });
    await until(() =>
      opened.connect().then(
        (refused) => refused[Symbol.asyncDispose]().then(() => false),
        () => true,
      ),
    );
    late.send("first", "second");
    expect(await late.receive(1)).toEqual(["ok first"]);
    for (const client of [late, silent]) {
      expect(await client.closed()).toBe("ended");
      client.shutdown();
    }
    expect([await within(drained), late.replies.length, silent.replies.length]).toEqual([0, 1, 0]);
  });

  test("waits for the answers that are due", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    client.send("later");
    const [taken] = (await opened.takenOf(1)) as [Taken];
    const drained = opened.listener.drain({ timeoutMs: LONG_MS });
    await until(() =>
      opened.connect().then(
        (late) => late[Symbol.asyncDispose]().then(() => false),
        () => true,
      ),
    );
    taken.answer();
    expect(await client.receive(1)).toEqual(["ok later"]);
    client.shutdown();
    expect(await within(drained)).toBe(0);
  });

  test("answers all that is in flight, beyond its limit too", async () => {
    await using opened = openListener({ inFlight: { maxMessages: 2 } });
    await using client = await opened.connect();
    client.send(...Array.from({ length: 9 }, (_, number) => `later ${number}`));
    await opened.takenOf(2);
    const drained = opened.listener.drain({ timeoutMs: LONG_MS });
    for (let answered = 0; answered < 9; answered++) (await opened.takenOf(answered + 1))[answered]?.answer();
    expect((await client.receive(9)).length).toBe(9);
    client.shutdown();
    expect(await within(drained)).toBe(0);
  });

  test("cuts what is not done in time, and tells how many", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    client.write(`${frame("whole")}5:hel`);
    await client.receive(1);
    expect(await within(opened.listener.drain({ timeoutMs: 1 }))).toBe(1);
    expect(["closed", "reset", "ended"]).toContain(await client.closed());
  });

  test("cuts by a reset, so that no sender takes an answer that is missing for an older server's", async () => {
    await using opened = openListener();
    await using client = await opened.connect();
    client.send("later");
    await opened.takenOf(1);
    expect(await within(opened.listener.drain({ timeoutMs: 1 }))).toBe(1);
    expect(await client.closed()).toBe("reset");
  });
});
