import { join } from "node:path";
import { openSqliteStore } from "../lib/store/sqlite.ts";
import { okFor } from "../tests/support/netstring_client.ts";
import { ROOT } from "../tests/support/program.ts";
import { until } from "../tests/support/until.ts";
import { startCrowd } from "./crowd.ts";
import { runGoodClients, type GoodClientsResult } from "./good_clients.ts";
import { count, type LedgerLine, type Scale, type Scenario } from "./ledger.ts";
import { startServer, type ServerProcess } from "./server_process.ts";

const CLIENTS = 20;
const PAUSE_MS = 5;
/** Room for the database file until the disk is full, in the blocks of 512 bytes that a shell counts in. */
const DISK_BLOCKS = 2048;

/** Faults of what a server stands on: stores, the disk, the clock, files. */
export const faults: Scenario = async (scale) => [
  ...(await playStores(scale)),
  await fillDisk(scale),
  await jumpClock(scale),
  await exhaustFiles(scale),
];

/** Plays the faults of MySQL and Redis under load, which are tests of their own that write ledger lines. */
async function playStores({ isLong }: Scale): Promise<readonly LedgerLine[]> {
  const some = isLong ? [] : ["-t", "MySQL and Redis killed"];
  const child = Bun.spawn([process.execPath, "test", "tests/store_faults_test.ts", ...some], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const isKept = (await child.exited) === 0;
  const found = [
    ...(output + errors).matchAll(/^(.+): sent (\d+), acknowledged (\d+), stored (\d+), lost (\d+), (.*)$/gm),
  ];
  const lines = found.map(([, name = "", sent, acknowledged, stored, lost, counted]) => ({
    done: `${name}, under load`,
    tried: Number(sent),
    refused: Number(sent) - Number(acknowledged),
    lost: Number(lost),
    figures: `stored ${count(Number(stored))}, ${counted}`,
    promises: { "nothing acknowledged is lost": isKept && lost === "0" },
  }));
  const expected = isLong ? 5 : 1;
  if (lines.length >= expected) return lines;
  const none = { tried: 0, refused: 0, lost: 0 };
  return [
    ...lines,
    {
      done: "faults of MySQL and Redis",
      ...none,
      figures: errors.slice(-300),
      promises: { "they are played": false },
    },
  ];
}

/** Sends under load and through a fault; what was acknowledged must be in the database in the end. */
async function send(
  server: ServerProcess,
  { seconds, from, during }: { seconds: number; from: number; during?: () => Promise<void> },
): Promise<GoodClientsResult> {
  const stop = new AbortController();
  const running = runGoodClients({
    port: server.port,
    clients: CLIENTS,
    signal: stop.signal,
    pauseMs: PAUSE_MS,
    from,
  });
  await Promise.all([Bun.sleep(seconds * 1000), during?.()]);
  stop.abort();
  return running;
}

async function countLost({ folder }: ServerProcess, runs: readonly GoodClientsResult[]): Promise<number> {
  await using store = openSqliteStore({ file: join(folder, "eth.db"), write: false });
  const pages = runs.flatMap(({ acknowledged }) => acknowledged);
  const present = new Set(
    (await store.listHashes({ limit: pages.length * 2 + 1000 })).map(({ hash }) => hash),
  );
  return pages.filter((page) => !present.has(okFor(page).slice("ok ".length))).length;
}

function total(runs: readonly GoodClientsResult[]) {
  const acknowledged = runs.reduce((sum, run) => sum + run.acknowledged.length, 0);
  const refused = runs.reduce((sum, run) => sum + run.failures, 0);
  return { acknowledged, refused, tried: acknowledged + refused };
}

async function fillDisk({ isLong }: Scale): Promise<LedgerLine> {
  await using server = await startServer({ before: `ulimit -S -f ${DISK_BLOCKS}` });
  const isFull = () => server.log.includes("Cannot acknowledge messages");
  const full = await send(server, {
    seconds: isLong ? 10 : 3,
    from: 0,
    during: async () => void (await until(isFull, { what: "the full disk", timeoutMs: 60_000 })),
  });
  Bun.spawnSync(["prlimit", "--fsize=unlimited", `--pid=${server.pid}`]);
  const again = await send(server, { seconds: isLong ? 10 : 2, from: 1_000_000 });
  const isRunning = server.isRunning;
  const status = await server.stop();
  const lost = await countLost(server, [full, again]);
  const [said = "nothing"] = /Cannot acknowledge messages: .*/.exec(server.log) ?? [];
  return {
    done: "disk full, then room again",
    ...total([full, again]),
    lost,
    figures: `${count(full.failures)} refused as unavailable while full, ${count(again.acknowledged.length)} acknowledged after; it says "${said}"`,
    promises: {
      "nothing acknowledged is lost": lost === 0,
      "refused, not hung or cut":
        [...full.failed.keys()].every((answer) => answer.includes("error unavailable")) && full.failures > 0,
      "it recovers without a restart": isRunning && again.failures === 0 && again.acknowledged.length > 0,
      "it says so": said !== "nothing" && server.log.includes("Messages are acknowledged again"),
      "it stops cleanly": status === 0,
    },
  };
}

async function jumpClock({ isLong }: Scale): Promise<LedgerLine> {
  const preload = join(import.meta.dir, "jumping_clock.ts");
  await using server = await startServer({
    preload,
    flags: ["--idle-timeout", "60", "--message-timeout", "10"],
  });
  const run = await send(server, { seconds: isLong ? 20 : 3, from: 0 });
  const status = await server.stop();
  const lost = await countLost(server, [run]);
  return {
    done: "a clock that jumps by hours, back and forth",
    ...total([run]),
    lost,
    figures: `${count(run.acknowledged.length)} acknowledged`,
    promises: {
      "nothing acknowledged is lost": lost === 0,
      "nobody is refused or cut": run.failures === 0,
      "it stops cleanly": status === 0,
    },
  };
}

async function exhaustFiles({ isLong }: Scale): Promise<LedgerLine> {
  const connections = isLong ? 2000 : 500;
  await using server = await startServer({ before: "ulimit -n 256", flags: ["--idle-timeout", "300"] });
  const before = await send(server, { seconds: 1, from: 0 });
  const crowd = await startCrowd({ kind: "flood", port: server.port, connections, addresses: 8, network: 5 });
  const during = await send(server, { seconds: isLong ? 10 : 2, from: 1_000_000 });
  const ended = await crowd.end();
  await crowd[Symbol.asyncDispose]();
  const after = await until(
    async () => {
      const run = await send(server, { seconds: 1, from: 2_000_000 });
      return run.failures === 0 && run;
    },
    { what: "the server to take messages again", timeoutMs: 30_000 },
  );
  const status = await server.stop();
  const lost = await countLost(server, [before, during, after]);
  const [said = "nothing"] = /Taking \d+ connections at a time instead of .*/.exec(server.log) ?? [];
  const sums = total([before, during, after]);
  return {
    done: `${count(connections)} connections to a server with 256 open files${isLong ? "" : " (2,000 in the long form)"}`,
    tried: sums.tried + connections,
    refused: sums.refused + ended.busy,
    lost,
    figures: `${count(ended.busy)} of the crowd told busy, ${count(ended.cut)} cut without a word; good clients ${count(during.failures)} refused meanwhile, none after; it says "${said}"`,
    promises: {
      "nothing acknowledged is lost": lost === 0,
      "it says so": said !== "nothing",
      "good clients are told busy, not hung": [...during.failed.keys()].every((answer) =>
        answer.includes("error busy"),
      ),
      "it recovers without a restart": after.failures === 0,
      "it stops cleanly": status === 0,
    },
  };
}
