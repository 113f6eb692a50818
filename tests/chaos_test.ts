import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { startAnvil, type Anvil } from "./support/anvil.ts";
import { startFlawedEndpoint } from "./support/flawed_endpoint.ts";
import { startEntry, type Program } from "./support/program.ts";
import { startTcpProxy } from "./support/tcp_proxy.ts";
import { openTempFolder } from "./support/temp_folder.ts";
import { until } from "./support/until.ts";

const LAST_BLOCK = 600;
const TEST_TIMEOUT_MS = 180_000;
const PHASE_TIMEOUT_MS = 40_000;

interface Entry {
  readonly phase: string;
  readonly first: number;
  readonly last: number;
  readonly sentAgain: number;
}

/** A program that can be killed and started again with the same flags. */
class Restartable implements AsyncDisposable {
  readonly #args: readonly string[];
  #program: Program | undefined;
  #seenTo = 0;

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  get log(): string {
    return this.#program?.stderr ?? "";
  }

  async start(): Promise<void> {
    this.#program = startEntry(this.#args);
    this.#seenTo = 0;
    await this.#program.match(/Listening|Watching/);
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
  }

  /** Resolves once the log holds a text, behind the one that was seen last. */
  async saw(text: string): Promise<void> {
    const find = () => this.log.indexOf(text, this.#seenTo) + 1;
    const at = await until(find, { timeoutMs: PHASE_TIMEOUT_MS, what: `"${text}"` }).catch((cause) => {
      throw new Error(`Cannot find "${text}" in:\n${this.log.slice(-3000)}`, { cause });
    });
    this.#seenTo = at + text.length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

async function freePort(): Promise<number> {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}

test(
  "600 blocks are each stored exactly once, whatever fails",
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await openTempFolder());
    const sqlite = folder.file("eth.db");
    const proxy = stack.use(await startTcpProxy());
    const first = stack.use(startFlawedEndpoint());
    const second = stack.use(startFlawedEndpoint());
    const ports = [await freePort(), await freePort()] as const;
    const [serverA, serverB] = ports.map((port) =>
      stack.use(new Restartable(["server.ts", `--port=${port}`, `--sqlite=${sqlite}`])),
    ) as [Restartable, Restartable];
    const flags = [
      `--emit-missed --state=${folder.file("state")} --ack=required --persistent --verbose`,
      `--server=127.0.0.1:${ports[0]} --server=127.0.0.1:${ports[1]}`,
      `--rpc-url=ws://127.0.0.1:${proxy.port} --rpc-url=${first.url} --rpc-url=${second.url}`,
      "--interval=0.1 --stall-timeout=0.5 --rpc-timeout=0.5",
    ];
    const client = stack.use(new Restartable(["client.ts", ...flags.join(" ").split(" ")]));

    let node: Anvil | undefined;
    let height = 0;
    stack.defer(async () => node?.[Symbol.asyncDispose]());
    const nodePort = () => Number(new URL(node?.url ?? "").port);
    const startNode = async () => {
      node = await startAnvil();
      if (height > 0) await node.mine(height); // out of the client's sight, as its chain is gone
      await proxy.target(nodePort());
      first.nodeUrl = second.nodeUrl = node.url;
    };
    const killNode = async () => {
      first.nodeUrl = second.nodeUrl = undefined;
      await node?.[Symbol.asyncDispose]();
    };
    const mine = async (blocks: number, step = 5) => {
      for (let left = blocks; left > 0; left -= step) height = (await node?.mine(Math.min(step, left))) ?? 0;
    };

    await Promise.all([serverA.start(), serverB.start(), startNode()]);
    await client.start();
    using database = new Database(sqlite);
    const stored = () =>
      database
        .query<{ payload: string }, []>("SELECT payload FROM ethereum_data")
        .all()
        .map(({ payload }) => Number(/<p>(\d+)<\/p>/.exec(payload)?.[1]));
    const received = () =>
      database
        .query<{ count: number }, []>("SELECT coalesce(sum(messages), 0) AS count FROM ip_addresses")
        .get()?.count ?? 0;
    const allStored = () =>
      until(() => new Set(stored()).size === height + 1, {
        timeoutMs: PHASE_TIMEOUT_MS,
        what: `block ${height}`,
      }).catch((cause) => {
        throw new Error(`Waited in vain for block ${height}; the client:\n${client.log.slice(-3000)}`, {
          cause,
        });
      });

    const ledger: Entry[] = [];
    const phase = async (name: string, run: () => Promise<void>) => {
      const [from, sentBefore, storedBefore] = [height + 1, received(), stored().length];
      await run();
      await allStored();
      const sentAgain = received() - sentBefore - (stored().length - storedBefore);
      ledger.push({ phase: name, first: from, last: height, sentAgain });
    };

    await allStored(); // block 0

    await phase("calm", () => mine(50));
    await phase("node killed and restarted", async () => {
      await mine(10);
      await killNode();
      await client.saw("No endpoint answers");
      await startNode();
      await mine(50);
    });
    await phase("WebSocket frozen", async () => {
      await client.saw("Subscribed to");
      proxy.freeze();
      await mine(60);
      await allStored();
      await client.saw("did not answer within 0.5 s");
      proxy.thaw();
    });
    await phase("an endpoint lags", async () => {
      first.number = (number) => number - 20n;
      await mine(30);
      await client.saw("lags more than 3 blocks behind the others");
      await mine(30);
      first.number = (number) => number;
    });
    await phase("an endpoint goes backwards, WebSocket down", async () => {
      await proxy.target(1);
      let asked = 0n;
      second.number = (number) => number - (asked++ % 3n) * 2n;
      await mine(60, 2);
      await allStored();
      second.number = (number) => number;
      await proxy.target(nodePort());
    });
    await phase("429 storm", async () => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: 429, message: "slow down" } });
      first.fault = () => new Response("slow down", { status: 429, headers: { "retry-after": "1" } });
      second.fault = () => new Response(body);
      await proxy.target(1);
      await client.saw("answered HTTP 429");
      await client.saw("answered error 429: slow down");
      await mine(60);
      first.fault = second.fault = undefined;
      await proxy.target(nodePort());
    });
    await phase("a server killed and restarted", async () => {
      for (const server of [serverA, serverB, serverA]) {
        await Promise.all([mine(10, 1), server.kill()]);
        await mine(10, 1);
        await allStored(); // by the other one
        await server.start();
      }
    });
    await phase("both servers away for 30 blocks", async () => {
      await Promise.all([serverA.kill(), serverB.kill()]);
      await mine(30, 1);
      await client.saw("cannot be reached: nothing listens there");
      await Promise.all([serverA.start(), serverB.start()]);
    });
    for (const time of ["first", "second"]) {
      await phase(`client killed, the ${time} time`, async () => {
        await mine(10, 1);
        await Promise.all([mine(20, 1), client.kill()]);
        await mine(30);
        await client.start();
      });
    }
    await phase("calm", () => mine(LAST_BLOCK - height));
    await client.kill();

    console.log(renderLedger(ledger));
    const numbers = stored();
    const missing = Array.from({ length: LAST_BLOCK + 1 }, (_, number) => number).filter(
      (number) => !numbers.includes(number),
    );
    expect({ missing, stored: numbers.length, last: height }).toEqual({
      missing: [],
      stored: LAST_BLOCK + 1,
      last: LAST_BLOCK,
    });
  },
  TEST_TIMEOUT_MS,
);

function renderLedger(ledger: readonly Entry[]): string {
  const rows = ledger.map(({ phase, first, last, sentAgain }) =>
    [
      phase.padEnd(44),
      `${first} to ${last}`.padEnd(12),
      `${last - first + 1}`.padStart(6),
      `${sentAgain}`.padStart(10),
    ].join(" "),
  );
  const header = ["phase".padEnd(44), "blocks".padEnd(12), "stored", "sent again"].join(" ");
  return [header, ...rows].join("\n");
}
