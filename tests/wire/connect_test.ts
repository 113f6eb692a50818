import { describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { connect, ConnectionError } from "../../lib/wire/connect.ts";
import { startListener } from "../../lib/wire/listen.ts";
import { frame, okFor } from "../support/netstring_client.ts";
import { startPeerServer } from "../support/peer_server.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { until } from "../support/until.ts";

const HOST = "127.0.0.1";

function hashOf(payload: string): string {
  return okFor(payload).slice("ok ".length);
}

/** A server that acknowledges. */
function startAcknowledging(received: number[] = []) {
  return startListener({
    host: HOST,
    port: 0,
    maxPayloadBytes: 10_000_000,
    maxConnections: 10,
    maxConnectionsPerIp: 1000,
    messageTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    log: createRecordingLog(),
    onMessage: ({ payload }) => {
      received.push(payload.length);
      return { kind: "ok", hash: Bun.SHA256.hash(payload, "hex") };
    },
  });
}

/** A server that answers each of two messages when it has read so many bytes, and pauses between them. */
function startPausing({ first, second }: { readonly first: number; readonly second: number }) {
  const ok = frame(`ok ${"a".repeat(64)}`);
  let read = 0;
  return Bun.listen({
    hostname: HOST,
    port: 0,
    socket: {
      data(socket, piece) {
        const before = read;
        read += piece.length;
        if (before < first && read >= first) {
          socket.write(ok);
          socket.pause();
          setTimeout(() => socket.resume(), 200);
        }
        if (before < second && read >= second) socket.write(ok);
      },
    },
  });
}

/** A server that accepts, and neither reads nor answers. */
async function startMute() {
  const server = createServer((socket) => {
    socket.pause();
    socket.on("error", () => {}); // the client cuts it
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, HOST, resolve);
  await promise;
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    [Symbol.dispose]: () => void server.close(),
  };
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectionError)) throw new Error(`Expected a ConnectionError, got ${error}`);
  return error.message;
}

describe("connect()", () => {
  test("send() waits for no answer that has come while a later message was still being sent", async () => {
    const [small, large] = ["x".repeat(5_000_000), "y".repeat(20_000_000)];
    using server = startPausing({ first: small.length, second: small.length + large.length });
    const replyTimeoutMs = 3000;
    using connection = await connect({ host: HOST, port: server.port, replyTimeoutMs });
    await Promise.all([connection.send(small), connection.send(large)]);
    const answeredAt = performance.now();
    await until(() => performance.now() > answeredAt + 1.5 * replyTimeoutMs);
    expect(connection.isOpen).toBe(true);
  }, 30_000);

  test("send() resolves to the answers of messages that are under way together, in order", async () => {
    await using server = startAcknowledging();
    using connection = await connect({ host: HOST, port: server.port });
    const payloads = Array.from({ length: 100 }, (_, number) => `message ${number}`);
    const replies = await Promise.all(payloads.map((payload) => connection.send(payload)));
    expect(replies).toEqual(payloads.map((payload) => ({ kind: "ok", hash: hashOf(payload) })));
  });

  test("send() writes a message that is larger than what the network takes at once", async () => {
    const received: number[] = [];
    await using server = startAcknowledging(received);
    using connection = await connect({ host: HOST, port: server.port });
    const payload = "x".repeat(9_000_000);
    expect(await connection.send(payload)).toEqual({ kind: "ok", hash: hashOf(payload) });
    expect(received).toEqual([9_000_000]);
  });

  test("send() resolves to nothing when the server closes without a word", async () => {
    await using server = await startPeerServer();
    using connection = await connect({ host: HOST, port: server.port });
    expect(await connection.send("hello")).toBeUndefined();
    expect({ messages: server.messages, isOpen: connection.isOpen }).toEqual({
      messages: [frame("hello").toString()],
      isOpen: false,
    });
    expect(await failureOf(connection.send("more"))).toBe("closed the connection");
  });

  test("send() counts silence for one message, and the others as failed", async () => {
    await using server = await startPeerServer();
    using connection = await connect({ host: HOST, port: server.port });
    const settled = await Promise.allSettled([connection.send("a".repeat(2_000_000)), connection.send("b")]);
    expect(settled.map(({ status }) => status)).not.toEqual(["fulfilled", "fulfilled"]);
    expect(settled[1]?.status).toBe("rejected");
  });

  test("send() fails when the server resets the connection", async () => {
    await using server = await startPeerServer({ reset: true });
    using connection = await connect({ host: HOST, port: server.port });
    expect(await failureOf(connection.send("hello"))).toMatch(/^broke the connection/);
  });

  test("send() fails when the server answers what was not sent", async () => {
    await using server = await startPeerServer({
      reply: frame(okFor("a")).toString() + frame(okFor("b")).toString(),
    });
    using connection = await connect({ host: HOST, port: server.port });
    expect(await connection.send("a")).toEqual({ kind: "ok", hash: hashOf("a") });
    await until(() => !connection.isOpen);
    expect(await failureOf(connection.send("c"))).toBe(
      "does not speak the protocol: it answers what was not sent",
    );
  });

  test("send() gives up when the answer does not come in time", async () => {
    using server = await startMute();
    using connection = await connect({ host: HOST, port: server.port, replyTimeoutMs: 20 });
    expect(await failureOf(connection.send("hello"))).toBe("did not answer within 0.02 s");
  });

  test("send() gives up when the message is not taken in time", async () => {
    using server = await startMute();
    using connection = await connect({ host: HOST, port: server.port, sendTimeoutMs: 20 });
    expect(await failureOf(connection.send("x".repeat(20_000_000)))).toBe(
      "did not take the message within 0.02 s",
    );
  });

  test("sendUnanswered() hands the whole message over", async () => {
    const received: number[] = [];
    await using server = startAcknowledging(received);
    {
      using connection = await connect({ host: HOST, port: server.port });
      await connection.sendUnanswered("x".repeat(3_000_000));
    }
    await until(() => received.length > 0);
    expect(received).toEqual([3_000_000]);
  });

  test("says when nothing listens", async () => {
    const server = await startPeerServer();
    await server[Symbol.asyncDispose]();
    expect(await failureOf(connect({ host: HOST, port: server.port }))).toBe(
      "cannot be reached: nothing listens there",
    );
  });

  test("is cut by its signal, before and after it is made", async () => {
    using server = await startMute();
    const stop = new AbortController();
    const options = { host: HOST, port: server.port, signal: stop.signal };
    using connection = await connect(options);
    const sending = failureOf(connection.send("hello"));
    stop.abort();
    expect([await sending, await failureOf(connect(options))]).toEqual([
      "is left alone, as this program stops",
      "is left alone, as this program stops",
    ]);
  });
});
