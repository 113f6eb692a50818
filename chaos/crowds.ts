import { startCrowd } from "./crowd.ts";
import { runGoodClients, type GoodClientsResult } from "./good_clients.ts";
import { count, type LedgerLine, type Scale, type Scenario } from "./ledger.ts";
import { startServer, type ServerProcess } from "./server_process.ts";

const GOOD_CLIENTS = 20;
/** Below it a percentile says more of this machine than of the server. */
const NOISE_MS = 5;
const NEARLY_AS_FAST = "p99 within 3 times that of the quiet server";
const MAX_ATTEMPTS = 3;
/** What the README promises for the limits at their defaults. */
const MEMORY_BOUND_MEGABYTES = 1024;

/** Sends as good clients for so many seconds. */
function runFor(seconds: number, { port }: ServerProcess, from: number): Promise<GoodClientsResult> {
  return runGoodClients({ port, clients: GOOD_CLIENTS, signal: AbortSignal.timeout(seconds * 1000), from });
}

/** Compares with the quiet server before and after, as other programs on this machine are not quiet either. */
async function compare(
  server: ServerProcess,
  { seconds, disturb }: { seconds: number; disturb: () => Promise<() => Promise<void>> },
) {
  await runFor(1, server, 0); // warms it up
  const before = await runFor(seconds, server, 1_000_000);
  const end = await disturb();
  const during = await runFor(seconds, server, 2_000_000);
  await end();
  const after = await runFor(seconds, server, 3_000_000);
  const quietP99Ms = Math.max(NOISE_MS, before.p99Ms, after.p99Ms);
  const runs = [before, during, after];
  return {
    failures: runs.reduce((sum, { failures }) => sum + failures, 0),
    acknowledged: runs.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
    p99Ms: during.p99Ms,
    isWithin3Times: during.p99Ms <= 3 * quietP99Ms,
    figures: `p99 of good clients ${before.p99Ms.toFixed(1)} ms before, ${during.p99Ms.toFixed(1)} ms during, ${after.p99Ms.toFixed(1)} ms after`,
  };
}

/** Thousands who say nothing or little, while good clients send; again when it was too slow, as this machine may be. */
export const idle: Scenario = async (scale) => {
  for (let attempt = 1; ; attempt++) {
    const line = await crowdWithIdle(scale);
    const isSlow = line.promises[NEARLY_AS_FAST] === false;
    if (isSlow && attempt < MAX_ATTEMPTS) continue;
    return [{ ...line, figures: `${line.figures}${attempt > 1 ? `; attempt ${attempt}` : ""}` }];
  }
};

async function crowdWithIdle({ isLong }: Scale): Promise<LedgerLine> {
  const [silent, slow] = isLong ? [10_000, 1000] : [2000, 200];
  await using server = await startServer();
  let ended = { cut: 0, open: 0, busy: 0, timedOut: 0 };
  let resident = 0;
  const compared = await compare(server, {
    seconds: isLong ? 30 : 6,
    disturb: async () => {
      const addresses = 16;
      const crowds = await Promise.all([
        startCrowd({ kind: "idle", port: server.port, connections: silent, addresses, network: 1 }),
        startCrowd({ kind: "slow", port: server.port, connections: slow, addresses, network: 2 }),
      ]);
      return async () => {
        resident = server.residentMegabytes;
        for (const crowd of crowds) {
          const result = await crowd.end();
          ended = {
            cut: ended.cut + result.cut,
            open: ended.open + result.open,
            busy: ended.busy + result.busy,
            timedOut: ended.timedOut + result.timedOut,
          };
          await crowd[Symbol.asyncDispose]();
        }
      };
    },
  });
  return {
    done: `${count(silent)} idle connections and ${count(slow)} that send a byte a second${isLong ? "" : " (10,000 and 1,000 in the long form)"}`,
    tried: silent + slow + compared.acknowledged + compared.failures,
    refused: ended.busy,
    lost: compared.failures,
    figures: `${compared.figures}; ${count(ended.open)} still open, ${count(ended.timedOut)} timed out; resident memory ${resident} MB`,
    promises: {
      "no good client fails": compared.failures === 0,
      [NEARLY_AS_FAST]: compared.isWithin3Times,
      "all were let in": ended.open + ended.timedOut === silent + slow,
    },
  };
}

/** Far too many connections from one address, while good clients send from others. */
export const flood: Scenario = async ({ isLong }) => {
  const connections = isLong ? 10_000 : 4000;
  const limit = 1024;
  await using server = await startServer();
  const total = { acknowledged: 0, busy: 0, silent: 0 };
  const compared = await compare(server, {
    seconds: isLong ? 20 : 4,
    disturb: async () => {
      const running = startCrowd({ kind: "flood", port: server.port, connections, addresses: 1, network: 3 });
      return async () => {
        await using crowd = await running;
        const { acknowledged, busy, cut, unconnected } = await crowd.end();
        Object.assign(total, { acknowledged, busy, silent: cut + unconnected });
      };
    },
  });
  const lines = server.log.split("\n").filter((line) => line.includes("as busy"));
  return [
    {
      done: `${count(connections)} connections from one address${isLong ? "" : " (10,000 in the long form)"}`,
      tried: connections + compared.acknowledged + compared.failures,
      refused: total.busy,
      lost: compared.failures,
      figures: `${compared.figures}; flooder: ${count(total.acknowledged)} taken, ${count(total.busy)} told busy, ${count(total.silent)} cut without a word; ${lines.length} log lines`,
      promises: {
        "no good client fails": compared.failures === 0,
        "good clients are answered within a second": compared.p99Ms < 1000,
        "the flooder has no more than its limit": total.acknowledged === limit,
        "the flooder is told so": total.busy === connections - limit && total.silent === 0,
        "few log lines": lines.length < 10,
      },
    },
  ];
};

/** Those who send what is costly to print, while good clients send. */
export const shout: Scenario = async ({ isLong }) => {
  const connections = isLong ? 200 : 50;
  await using server = await startServer();
  let printed = 0;
  const compared = await compare(server, {
    seconds: isLong ? 20 : 4,
    disturb: async () => {
      const crowd = await startCrowd({
        kind: "shout",
        port: server.port,
        connections,
        addresses: 8,
        network: 5,
      });
      return async () => {
        printed = (await crowd.end()).acknowledged;
        await crowd[Symbol.asyncDispose]();
      };
    },
  });
  return [
    {
      done: `${count(connections)} connections that send 65,000 control characters again and again${isLong ? "" : " (200 in the long form)"}`,
      tried: printed + compared.acknowledged + compared.failures,
      refused: 0,
      lost: compared.failures,
      figures: `${compared.figures}; ${count(printed)} such messages printed and stored`,
      promises: {
        "no good client fails": compared.failures === 0,
        "good clients are answered within a second": compared.p99Ms < 1000,
      },
    },
  ];
};

/** Those who make the server keep as much as they can: unfinished messages, and answers that nobody reads. */
export const memory: Scenario = async (scale) => [await hoard("partial", scale), await hoard("deaf", scale)];

async function hoard(kind: "partial" | "deaf", { isLong }: Scale): Promise<LedgerLine> {
  const connections = isLong ? 8000 : 1500;
  await using server = await startServer({ flags: ["--no-store"] });
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, server.residentMegabytes)), 50);
  await using crowd = await startCrowd({ kind, port: server.port, connections, addresses: 16, network: 4 });
  const good = await runFor(isLong ? 15 : 4, server, 0);
  clearInterval(watch);
  const result = await crowd.end();
  const what =
    kind === "partial"
      ? "send 60,000 bytes of a message and no more"
      : "send tiny messages and read no answer";
  return {
    done: `${count(connections)} connections that ${what}${isLong ? "" : " (8,000 in the long form)"}`,
    tried: connections + good.acknowledged.length + good.failures,
    refused: result.busy + result.cut,
    lost: good.failures,
    figures: `resident memory ${peak} MB at most; p99 of good clients ${good.p99Ms.toFixed(1)} ms`,
    promises: {
      "no good client fails": good.failures === 0,
      [`memory stays under ${MEMORY_BOUND_MEGABYTES} MB`]: peak < MEMORY_BOUND_MEGABYTES,
    },
  };
}
