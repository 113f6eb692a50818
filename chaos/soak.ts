import { join } from "node:path";
import type { Load, LoadResult } from "../bench/ingest_load.ts";
import { ROOT } from "../tests/support/program.ts";
import { count, type Scenario } from "./ledger.ts";
import { startServer } from "./server_process.ts";

const CONNECTIONS = 64;
const WINDOW = 64;

/** A great many messages through one server, which must be no larger at the end than it was soon after the start. */
export const soak: Scenario = async ({ isLong }) => {
  const [messages, warmUp] = isLong ? [2_000_000, 200_000] : [120_000, 60_000];
  await using server = await startServer();
  const send = async (from: number, to: number): Promise<LoadResult> => {
    const load: Load = {
      port: server.port,
      messages: to - from,
      connections: CONNECTIONS,
      window: WINDOW,
      from,
    };
    const child = Bun.spawn([process.execPath, join(ROOT, "bench", "ingest_load.ts"), JSON.stringify(load)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    return JSON.parse(await new Response(child.stdout).text()) as LoadResult;
  };
  const first = await send(0, warmUp);
  const early = server.residentMegabytes;
  const second = await send(warmUp, messages);
  const late = server.residentMegabytes;
  const acknowledged = first.acknowledged + second.acknowledged;
  const { openSqliteStore } = await import("../lib/store/sqlite.ts");
  await using store = openSqliteStore({ file: join(server.folder, "eth.db"), write: false });
  const clients = await store.listClients();
  const stored = clients.reduce((sum, client) => sum + client.messages, 0);
  const status = await server.stop();
  return [
    {
      done: `${count(messages)} messages through one server${isLong ? "" : " (2,000,000 in the long form)"}`,
      tried: messages,
      refused: first.failed + second.failed,
      lost: acknowledged - stored,
      figures: `resident memory ${early} MB after ${count(warmUp)}, ${late} MB at the end; ${count(Math.round(acknowledged / (first.seconds + second.seconds)))} messages/s stored in SQLite`,
      promises: {
        "each is acknowledged and counted": acknowledged === messages && stored === messages,
        "memory at the end within 10 % of the beginning": late <= early * 1.1,
        "it stops cleanly": status === 0,
      },
    },
  ];
};
