import { expect, test } from "bun:test";
import { startAckServer } from "./support/ack_server.ts";
import { startAnvil } from "./support/anvil.ts";
import { startEntry } from "./support/program.ts";
import { until } from "./support/until.ts";

const BLOCKS = 60;

test.each([[["--persistent"]], [["--emit-missed"]]])(
  "a real node's blocks are each delivered once and in order, over WebSocket, with %p",
  async (flags) => {
    await using node = await startAnvil();
    await using server = startAckServer();
    const url = `--rpc-url=${node.socketUrl}`;
    await using client = startEntry(["client.ts", url, `--port=${server.port}`, "--verbose", ...flags]);
    await client.match(/Subscribed to/);
    for (let block = 1; block <= BLOCKS; block++) {
      await node.mine(1);
      await until(() => server.blocks.at(-1) === BigInt(block), { what: `block ${block}` });
    }
    client.kill("SIGTERM");
    expect((await client.ended).status).toBe(0);
    expect(server.blocks).toEqual(Array.from({ length: BLOCKS + 1 }, (_, block) => BigInt(block)));
  },
);
