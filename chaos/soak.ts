import { join } from "node:path";
import type { Load, LoadResult } from "../bench/ingest_load.ts";
import { ROOT } from "../tests/support/program.ts";
import { count, type Scenario } from "./ledger.ts";
import { startServer } from "./server_process.ts";

const CONNECTIONS = 64;
const WINDOW = 64;

/** What the server may have grown by; so soon after its start as in the short form, its heap has not settled. */
const ALLOWED_GROWTH = { long: 1.1, short: 1.5 };
/** Time without work before its memory is read, so that what the collector was about to free is not counted. */
const REST_MS = 2000;

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
  const restingMegabytes = async () => {
    await Bun.sleep(REST_MS);
    return server.residentMegabytes;
  };
  const first = await send(0, warmUp);
  const early = await restingMegabytes();
  const second = await send(warmUp, messages);
  const late = await restingMegabytes();
  const allowed = isLong ? ALLOWED_GROWTH.long : ALLOWED_GROWTH.short;
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
        [`memory at the end at most ${Math.round((allowed - 1) * 100)} % above that of the beginning`]:
          late <= early * allowed,
        "it stops cleanly": status === 0,
      },
    },
  ];
};
