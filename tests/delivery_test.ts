import { describe, expect, test } from "bun:test";
import { Backlog } from "../lib/backlog.ts";
import { deliverAll, type DeliveryOptions } from "../lib/delivery.ts";
import { renderBlockPage } from "../lib/block_page.ts";
import { Servers } from "../lib/servers.ts";
import { startAckServer } from "./support/ack_server.ts";
import { startPeerServer } from "./support/peer_server.ts";
import { createRecordingLog } from "./support/recording_log.ts";
import { frame } from "./support/netstring_client.ts";
import { until, within } from "./support/until.ts";

type Options = Partial<DeliveryOptions> & { readonly ports?: readonly number[] };

function startDelivery({ ports = [], ...options }: Options) {
  const log = createRecordingLog();
  const stop = new AbortController();
  const delivered: bigint[] = [];
  const backlog = new Backlog({ capacity: 10_000, isGapless: true, after: 0n, onGivenUp: () => {} });
  const ended = deliverAll(backlog, {
    servers: new Servers({ servers: ports.map((port) => ({ host: "127.0.0.1", port })) }),
    ack: "auto",
    onDelivered: (block) => delivered.push(block),
    log,
    signal: stop.signal,
    ...options,
  });
  return {
    log,
    delivered,
    add: (number: number | bigint) => backlog.add({ number: BigInt(number), isNewChain: false }),
    until: (number: number | bigint) =>
      until(() => delivered.at(-1) === BigInt(number), {
        what: `block ${number}`,
      }),
    said: (text: string) => until(() => log.lines.some((line) => line.includes(text)), { what: text }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      backlog.close();
      await within(ended);
    },
  };
}

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => BigInt(first + index));
const pages = (first: number, last: number) =>
  range(first, last).map((number) => frame(renderBlockPage(number)).toString());

describe("deliverAll()", () => {
  test("delivers in order over a connection each", async () => {
    await using server = startAckServer();
    await using delivery = startDelivery({ ports: [server.port] });
    delivery.add(20);
    await delivery.until(20);
    expect({ blocks: server.blocks, connections: server.connections, delivered: delivery.delivered }).toEqual(
      {
        blocks: range(1, 20),
        connections: 20,
        delivered: range(1, 20),
      },
    );
  });

  test("tells the story of a block in order", async () => {
    await using server = startAckServer();
    await using delivery = startDelivery({ ports: [server.port] });
    delivery.add(1);
    await delivery.until(1);
    const name = `127.0.0.1:${server.port}`;
    expect(delivery.log.lines).toEqual([
      expect.stringMatching(/^debug Rendered block 1: 447 bytes, hash ee8a5e33/),
      `debug Sent block 1 to ${name} at 127.0.0.1`,
      expect.stringMatching(
        new RegExp(`^info Block 1 is delivered and acknowledged by ${name} after [\\d.]+ ms$`),
      ),
    ]);
  });

  test("persistent: delivers many over one connection", async () => {
    await using server = startAckServer();
    await using delivery = startDelivery({ ports: [server.port], isPersistent: true });
    delivery.add(3000);
    await delivery.until(3000);
    delivery.add(3001);
    await delivery.until(3001);
    expect(server.blocks).toEqual(range(1, 3001));
    expect(server.connections).toBe(1);
  });

  test("persistent: sends no more than a window without an answer", async () => {
    await using server = startAckServer();
    await using delivery = startDelivery({ ports: [server.port], isPersistent: true });
    delivery.add(1);
    await delivery.until(1);
    server.isSilent = true;
    delivery.add(1000);
    await until(() => server.blocks.length === 65);
    server.isSilent = false;
    server.cut();
    await delivery.until(1000);
    expect(server.blocks.slice(65)).toEqual(range(2, 1000));
    expect(delivery.delivered).toEqual(range(1, 1000));
  });

  test("persistent: sends all again that was not acknowledged when the connection broke", async () => {
    await using server = startAckServer();
    await using delivery = startDelivery({ ports: [server.port], isPersistent: true });
    const cutAt = new Set(range(1, 20).map((number) => number * 100n));
    server.refusal = (block) => {
      if (cutAt.delete(block)) server.cut();
      return undefined;
    };
    delivery.add(2000);
    await delivery.until(2000);
    expect(cutAt.size).toBe(0);
    expect(delivery.delivered).toEqual(range(1, 2000));
    expect([...new Set(server.blocks)]).toEqual(range(1, 2000));
  });

  test("persistent: sends again from a block that was refused", async () => {
    await using server = startAckServer();
    await using delivery = startDelivery({ ports: [server.port], isPersistent: true });
    const refused = new Set([7n, 150n]);
    server.refusal = (block) =>
      refused.delete(block) ? "error unavailable Cannot store the message now" : undefined;
    delivery.add(200);
    await delivery.until(200);
    expect(delivery.delivered).toEqual(range(1, 200));
    expect(delivery.log.complaints).toEqual([
      `warn The server 127.0.0.1:${server.port} refused the page as unavailable: Cannot store the message now`,
      `warn The server 127.0.0.1:${server.port} refused the page as unavailable: Cannot store the message now`,
    ]);
  });

  test("persistent: serves an older server, which closes after one message, with a connection each", async () => {
    await using server = await startPeerServer();
    await using delivery = startDelivery({ ports: [server.port], isPersistent: true });
    delivery.add(50);
    await delivery.until(50);
    expect(server.messages).toEqual(pages(1, 50));
    expect(delivery.log.complaints).toEqual([]);
  });

  test("persistent: passes over a connection that was closed while nothing was to be sent", async () => {
    await using server = startAckServer();
    await using delivery = startDelivery({ ports: [server.port], isPersistent: true });
    for (const number of [1, 2, 3]) {
      delivery.add(number);
      await delivery.until(number);
      server.cut();
      await using probe = await Bun.connect({
        hostname: "127.0.0.1",
        port: server.port,
        socket: { data() {} },
      });
      void probe;
    }
    expect(delivery.delivered).toEqual(range(1, 3));
  });

  test("goes on with the next server, stays there, and comes back", async () => {
    await using second = startAckServer();
    const first = startAckServer();
    const { port } = first;
    await using delivery = startDelivery({ ports: [port, second.port] });
    delivery.add(1);
    await delivery.until(1);
    await first[Symbol.asyncDispose]();
    delivery.add(5);
    await delivery.until(5);
    await using again = startAckServer({ port });
    delivery.add(6);
    await delivery.until(6);
    second.refusal = () => "error unavailable no";
    delivery.add(8);
    await delivery.until(8);
    expect([first.blocks, second.blocks, again.blocks]).toEqual([[1n], range(2, 7), [7n, 8n]]);
    expect(delivery.log.complaints.length).toBe(2);
  });

  test("waits and tries all again while every server is away", async () => {
    const gone = startAckServer();
    const { port } = gone;
    await gone[Symbol.asyncDispose]();
    await using delivery = startDelivery({ ports: [port, port] });
    delivery.add(30);
    await delivery.said("(failure 4)");
    await using server = startAckServer({ port });
    await delivery.until(30);
    expect(server.blocks).toEqual(range(1, 30));
    expect(delivery.log.lines).toContainEqual(
      expect.stringMatching(/^info Pages are delivered again after \d+/),
    );
  });

  test("uses every address of a name, and looks it up again when all have failed", async () => {
    await using server = startAckServer();
    let lookups = 0;
    const lookup = async () => (++lookups < 3 ? ["127.0.0.9"] : ["127.0.0.8", "127.0.0.1"]);
    const servers = new Servers({ servers: [{ host: "name.test", port: server.port }], lookup });
    await using delivery = startDelivery({ servers });
    delivery.add(3);
    await delivery.until(3);
    expect({ lookups, blocks: server.blocks }).toEqual({ lookups: 3, blocks: range(1, 3) });
    expect(delivery.log.complaints).toEqual([
      `warn The server name.test:${server.port} cannot be reached: nothing listens there`,
    ]);
  });

  test("required: takes silence for failure", async () => {
    await using silent = await startPeerServer();
    await using server = startAckServer();
    await using delivery = startDelivery({ ports: [silent.port, server.port], ack: "required" });
    delivery.add(2);
    await delivery.until(2);
    expect(server.blocks).toEqual([1n, 2n]);
  });
});
