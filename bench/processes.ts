/**
 * How many messages a second one, two and three server processes take behind HAProxy with deploy/haproxy.cfg, and one
 * without it.
 *
 * Usage: bun bench/processes.ts [--messages 60000] [--connections 64]
 *
 * The servers store nothing, so that the processes are measured and not a database. All of it shares this machine: the
 * load, HAProxy and the servers. Where there are fewer processors than that, the processor time that each takes for a
 * message tells more than the rate.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServer, type ServerProcess } from "../chaos/server_process.ts";
import { startHaproxy } from "../tests/support/haproxy.ts";
import type { Load, LoadResult } from "./ingest_load.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "60000" },
    connections: { type: "string", default: "64" },
  },
});
const messages = Number(values.messages);
const connections = Number(values.connections);
const WINDOW = 64;
/** Messages over one connection cost so little that more are needed for a figure. */
const MORE_PIPELINED = 5;
const LIMITS = ["--no-store", "--max-connections-per-ip", "16384"];
const BEHIND = [...LIMITS, "--proxy-protocol", "--proxy-trust", "127.0.0.1"];

console.log(`${messages} pages over ${connections} connections, ${availableParallelism()} processors`);
{
  await using server = await startServer({ flags: LIMITS });
  await measure("one, without HAProxy", { port: server.port, servers: [server] });
}
for (const [index, name] of ["one", "two", "three"].entries()) {
  await using opened = new AsyncDisposableStack();
  const servers: ServerProcess[] = [];
  for (let count = 0; count <= index; count++) servers.push(opened.use(await startServer({ flags: BEHIND })));
  const haproxy = opened.use(await startHaproxy({ host: "0.0.0.0", ports: servers.map(({ port }) => port) }));
  await measure(`${name} behind HAProxy`, { port: haproxy.port, servers, balancer: haproxy.program.pid });
}

async function measure(
  what: string,
  { port, servers, balancer }: { port: number; servers: readonly ServerProcess[]; balancer?: number },
): Promise<void> {
  const runs = [
    ["a connection each", { window: 0, messages }],
    [`persistent, window ${WINDOW}`, { window: WINDOW, messages: MORE_PIPELINED * messages }],
  ] as const;
  for (const [how, options] of runs) {
    const cpu = () => servers.map(({ pid }) => cpuSeconds(pid)).reduce((sum, seconds) => sum + seconds, 0);
    const [serversBefore, balancerBefore] = [cpu(), balancer ? cpuSeconds(balancer) : 0];
    const { acknowledged, failed, seconds, latenciesMs } = await load({
      port,
      connections,
      from: 0,
      ...options,
    });
    const micros = (used: number) => `${((used / options.messages) * 1e6).toFixed(0)} µs`;
    const rate = `${Math.round(acknowledged / seconds).toLocaleString("en")}/s`;
    console.log(
      `${what.padEnd(20)} ${how.padEnd(21)} ${rate.padStart(9)}  p99 ${latenciesMs.p99.toFixed(1)} ms  failed ${failed}  ` +
        `CPU a message: servers ${micros(cpu() - serversBefore)}` +
        (balancer ? `, HAProxy ${micros(cpuSeconds(balancer) - balancerBefore)}` : ""),
    );
  }
}

async function load(job: Load): Promise<LoadResult> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "ingest_load.ts"), JSON.stringify(job)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(await new Response(child.stdout).text()) as LoadResult;
}

/** User and system time of a process, in the clock ticks of 10 ms that Linux counts in. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
