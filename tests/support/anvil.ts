import { startProgram, ROOT } from "./program.ts";

/** A real Ethereum node with a chain of its own, whose blocks are mined on demand. */
export interface Anvil extends AsyncDisposable {
  readonly url: string;
  /** The same over WebSocket. */
  readonly socketUrl: string;
  /** Mines blocks and resolves to the number of the last one. */
  mine(blocks: number): Promise<number>;
}

/** Starts a node, at block 0; flags say when it mines by itself. */
export async function startAnvil(flags: readonly string[] = ["--no-mining"]): Promise<Anvil> {
  // The binary itself and not its launcher, which needs Node.js and would outlive it when killed.
  const [binary] = new Bun.Glob("node_modules/@foundry-rs/anvil-*/bin/anvil*").scanSync({
    cwd: ROOT,
    absolute: true,
  });
  if (!binary) throw new Error("Cannot find Anvil: run bun install");
  const program = startProgram([binary, "--port", "0", ...flags]);
  const url = `http://127.0.0.1:${await program.port()}`;
  const call = async (method: string, ...params: unknown[]) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return ((await response.json()) as { result: unknown }).result;
  };
  return {
    url,
    socketUrl: url.replace("http", "ws"),
    async mine(blocks) {
      await call("anvil_mine", `0x${blocks.toString(16)}`);
      return Number(await call("eth_blockNumber"));
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
