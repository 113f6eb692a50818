import { describe, expect, test } from "bun:test";
import { runClientOnce } from "../lib/client.ts";
import { renderBlockPage } from "../lib/block_page.ts";
import { BAD_ANSWERS, block, body, result, startFakeNode } from "./support/fake_node.ts";
import { frame, okFor } from "./support/netstring_client.ts";
import { startEntry } from "./support/program.ts";
import { startPeerServer } from "./support/peer_server.ts";
import { startAckServer } from "./support/ack_server.ts";
import { createClientOptions, startClient } from "./support/running_client.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

const pageOf = (number: bigint) => renderBlockPage(number);
const framedPage = (number: bigint) => frame(pageOf(number)).toString();
const ackOf = (number: bigint) => frame(okFor(pageOf(number))).toString();

describe("runClient()", () => {
  test("sends each new block's page to an older server, which closes without a word", async () => {
    await using server = await startPeerServer();
    await using node = startFakeNode(block(0));
    await using client = startClient({ rpcUrls: [node.url], port: server.port });
    for (const number of [0, 1, 2]) {
      node.script(block(number));
      await client.saw(
        `info Block ${number} is sent to 127.0.0.1:${server.port}, which does not acknowledge`,
      );
    }
    expect(server.messages).toEqual([framedPage(0n), framedPage(1n), framedPage(2n)]);
    expect(client.log.complaints).toEqual([]);
  });

  test.each(BAD_ANSWERS)("survives %s and reports it once", async (_, answer, said) => {
    await using server = await startPeerServer();
    await using node = startFakeNode(answer, answer, block(9));
    await using client = startClient({ rpcUrls: [node.url], port: server.port });
    await client.saw("Block 9 is sent");
    const host = new URL(node.url).host;
    expect(client.log.complaints).toEqual([
      expect.stringContaining(`warn The endpoint ${host} ${said}`),
      "error No endpoint answers; asking it again and again",
    ]);
    expect(client.log.lines).toContain(`info The endpoint ${host} answers again after 2 failures`);
  });

  test("falls back to the next endpoint", async () => {
    await using server = await startPeerServer();
    await using bad = startFakeNode(result(null));
    await using good = startFakeNode(block(3));
    await using client = startClient({ port: server.port, rpcUrls: [bad.url, good.url] });
    await client.saw("Block 3 is sent");
    expect(client.log.complaints).toEqual([
      `warn The endpoint ${new URL(bad.url).host} answered eth_blockNumber with null`,
    ]);
  });

  test("names the demo when no endpoint of mainnet answers", async () => {
    // A proxy that is not there keeps the test from the internet.
    await using client = startEntry(["client.ts"], { env: { HTTPS_PROXY: "http://127.0.0.1:1" } });
    await client.match(/No endpoint answers; .*\n.*"bun run demo"/);
  });

  test("tries a failed delivery again until it succeeds, and reports it once", async () => {
    await using node = startFakeNode(block(5));
    await using broken = await startPeerServer({ reset: true });
    await using client = startClient({ rpcUrls: [node.url], port: broken.port });
    await client.saw("(failure 3)");
    const { port } = broken;
    await broken[Symbol.asyncDispose]();
    await client.saw("nothing listens there");
    await using server = await startPeerServer({ port });
    await client.saw("info Block 5 is sent");
    expect(server.messages).toEqual([framedPage(5n)]);
    expect(client.log.complaints.length).toBe(new Set(client.log.complaints).size);
    expect(client.log.lines).toContainEqual(
      expect.stringMatching(/^info Pages are delivered again after \d+/),
    );
  });

  test("gives up a block for a newer one", async () => {
    await using node = startFakeNode(block(5));
    await using broken = await startPeerServer({ reset: true });
    await using client = startClient({ rpcUrls: [node.url], port: broken.port });
    await client.saw("(failure 2)");
    node.script(block(6));
    await client.saw("warn Gave up block 5 as there is a newer one");
  });

  test("waits for no answer when acknowledgements are off", async () => {
    await using node = startFakeNode(block(5));
    await using server = await startPeerServer({ reply: "5:wrong," });
    await using client = startClient({ rpcUrls: [node.url], port: server.port, ack: "off" });
    await client.saw("info Block 5 is sent to ");
    await until(() => server.messages.length === 1);
    expect({ messages: server.messages, complaints: client.log.complaints }).toEqual({
      messages: [framedPage(5n)],
      complaints: [],
    });
  });

  const FAILURES = [
    [
      "silence, when acknowledgements are required",
      "",
      "closed the connection without acknowledging the page",
    ],
    ["the acknowledgement of another page", ackOf(4n), "acknowledged another page than was sent"],
    [
      "a refusal",
      frame("error unavailable Cannot store it").toString(),
      "refused the page as unavailable: Cannot store it",
    ],
    ["an answer of another protocol", "HTTP/1.1 400", "does not speak the protocol: "],
    ["half an answer", "67:ok ", "closed the connection"],
  ] as const;

  test.each(FAILURES)("counts %s as failure", async (_, reply, said) => {
    await using node = startFakeNode(block(5));
    await using server = await startPeerServer({ reply });
    await using client = startClient({ rpcUrls: [node.url], port: server.port, ack: "required" });
    await client.saw(said);
    server.replyWith(ackOf(5n));
    await client.saw("info Block 5 is delivered and acknowledged");
    expect(client.log.complaints).toEqual([
      expect.stringMatching(/^warn The server 127\.0\.0\.1:\d+ /) as never,
    ]);
  });

  test("counts silence as failure once a server has acknowledged", async () => {
    await using node = startFakeNode(block(5));
    await using server = await startPeerServer({ reply: ackOf(5n) });
    await using client = startClient({ rpcUrls: [node.url], port: server.port });
    await client.saw("info Block 5 is delivered and acknowledged");
    server.replyWith("");
    node.script(block(6));
    await client.saw("closed the connection without acknowledging the page");
    server.replyWith(ackOf(6n));
    await client.saw("info Block 6 is delivered and acknowledged");
  });
});

describe("runClient() with --emit-missed", () => {
  const range = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, index) => BigInt(first + index));

  test("sends every block between two heads, and none without it", async () => {
    await using node = startFakeNode(block(5));
    await using server = startAckServer();
    await using other = startAckServer();
    await using gapless = startClient({ rpcUrls: [node.url], port: server.port, emitMissed: true });
    await using latest = startClient({ rpcUrls: [node.url], port: other.port });
    await Promise.all([gapless.saw("Block 5 is delivered"), latest.saw("Block 5 is delivered")]);
    node.script(block(300));
    await Promise.all([gapless.saw("Block 300 is delivered"), latest.saw("Block 300 is delivered")]);
    expect([server.blocks, other.blocks]).toEqual([range(5, 300), [5n, 300n]]);
  });

  test("gives up the oldest beyond --max-gap, counts and says them", async () => {
    await using node = startFakeNode(block(5));
    await using server = startAckServer();
    const settings = { rpcUrls: [node.url], port: server.port, emitMissed: true, maxGap: 10 };
    await using client = startClient(settings);
    await client.saw("Block 5 is delivered");
    node.script(block(100));
    await client.saw("Block 100 is delivered");
    expect(server.blocks).toEqual([5n, ...range(90, 99), 100n]);
    expect(client.log.complaints).toEqual([
      "warn Gave up blocks 6 to 89 as no more than 10 may wait (84 in all)",
    ]);
  });

  test("goes on from --state without a gap, and sends nothing twice", async () => {
    await using folder = await openTempFolder();
    await using node = startFakeNode(block(5));
    await using server = startAckServer();
    const state = folder.file("state");
    const settings = { rpcUrls: [node.url], port: server.port, emitMissed: true, state };
    for (const number of [5, 5, 30, 90]) {
      node.script(block(number));
      await using client = startClient(settings);
      await until(() => node.calls.length > 3);
      if (server.blocks.at(-1) !== BigInt(number)) await client.saw(`Block ${number} is delivered`);
    }
    expect(server.blocks).toEqual(range(5, 90));
    expect(await Bun.file(state).text()).toBe("90\n");
  });

  test("keeps --state behind what is not acknowledged", async () => {
    await using folder = await openTempFolder();
    await using node = startFakeNode(block(1));
    await using server = startAckServer();
    const state = folder.file("state");
    const settings = { rpcUrls: [node.url], port: server.port, emitMissed: true, state };
    await using client = startClient({ ...settings, persistent: true });
    await client.saw("Block 1 is delivered");
    server.refusal = (number) => (number === 20n ? "error unavailable no" : undefined);
    node.script(block(40));
    await client.saw("(failure 2)");
    await until(async () => (await Bun.file(state).text()) === "19\n");
    server.refusal = undefined;
    await client.saw("Block 40 is delivered");
    await until(async () => (await Bun.file(state).text()) === "40\n");
  });

  test("--once catches up from --state", async () => {
    await using folder = await openTempFolder();
    await using node = startFakeNode(block(5));
    await using server = startAckServer();
    const settings = { rpcUrls: [node.url], port: server.port, persistent: true, emitMissed: true };
    for (const number of [5, 5, 200]) {
      node.script(block(number));
      await runClientOnce(createClientOptions({ ...settings, state: folder.file("state") }));
    }
    expect(server.blocks).toEqual(range(5, 200));
  });
});

describe("runClientOnce()", () => {
  test("delivers the current block", async () => {
    await using server = await startPeerServer({ reply: ackOf(8n) });
    await using node = startFakeNode(block(8));
    const options = createClientOptions({ rpcUrls: [node.url], port: server.port });
    await runClientOnce(options);
    expect(options.log.lines).toContainEqual(
      expect.stringMatching(/^info Block 8 is delivered and acknowledged by \S+ after [\d.]+ ms$/),
    );
    expect(server.messages).toEqual([framedPage(8n)]);
  });

  test("fails when no endpoint tells the block", async () => {
    await using node = startFakeNode(body("oops", { status: 500 }));
    await expect(runClientOnce(createClientOptions({ rpcUrls: [node.url], port: 1 }))).rejects.toThrow(
      "Cannot send the current block: no endpoint tells it",
    );
  });

  test("fails when the server does not acknowledge", async () => {
    await using server = await startPeerServer();
    await using node = startFakeNode(block(8));
    const options = createClientOptions({ rpcUrls: [node.url], port: server.port, ack: "required" });
    await expect(runClientOnce(options)).rejects.toThrow(
      `Cannot send block 8: The server 127.0.0.1:${server.port} closed the connection without acknowledging the page`,
    );
  });
});
