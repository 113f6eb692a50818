import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../tests/support/program.ts";

/** Options of {@linkcode startServer}. */
export interface ServerOptions {
  readonly flags?: readonly string[];
  /** Shell commands that come before it, such as `ulimit -n 256`. */
  readonly before?: string;
  /** A module that is loaded before the server. */
  readonly preload?: string;
}

/** A server in a process and a folder of its own, on all addresses of this machine. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly folder: string;
  /** What it has logged so far. */
  readonly log: string;
  /** Whether it still runs. */
  readonly isRunning: boolean;
  readonly residentMegabytes: number;
  /** Stops it as a user would; resolves to its exit status. */
  stop(): Promise<number>;
}

/** Starts a server, which prints into nothing. */
export async function startServer({
  flags = [],
  before = "true",
  preload,
}: ServerOptions = {}): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), "eth-chaos-"));
  const options = preload ? ["--preload", preload] : [];
  const command = [process.execPath, ...options, join(ROOT, "server.ts"), "--host", "0.0.0.0", "--port", "0"];
  const child = Bun.spawn(["sh", "-c", `${before}; exec "$@"`, "sh", ...command, ...flags], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", Bun.file("/dev/null"), "pipe"],
  });
  let log = "";
  const listening = Promise.withResolvers<number>();
  void (async () => {
    for await (const piece of child.stderr) {
      log += Buffer.from(piece).toString();
      const [, port] = /Listening on \S+:(\d+)/.exec(log) ?? [];
      if (port) listening.resolve(Number(port));
    }
    listening.reject(new Error(`The server ended: ${log}`));
  })();
  return {
    port: await listening.promise,
    pid: child.pid,
    folder,
    get log() {
      return log;
    },
    get isRunning() {
      return child.exitCode === null && child.signalCode === null;
    },
    get residentMegabytes() {
      const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
      return Math.round(Number(kilobytes) / 1024);
    },
    async stop() {
      child.kill("SIGTERM");
      return child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
