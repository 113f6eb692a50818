import { describe, expect, test } from "bun:test";
import { runClientOnce } from "../lib/client.ts";
import { renderBlockPage } from "../lib/ethereum/page.ts";
import { BAD_ANSWERS, block, body, result, startFakeNode } from "./support/fake_node.ts";
import { frame, okFor } from "./support/netstring_client.ts";
import { startPeerServer } from "./support/peer_server.ts";
import { createClientOptions, startClient } from "./support/running_client.ts";

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
