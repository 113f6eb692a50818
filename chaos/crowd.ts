/**
 * A crowd of connections in a process of its own, told what to do by JSON in its one argument; it says `ready` when it
 * stands, and what became of it when its stdin is closed.
 */
import { createConnection, type Socket } from "node:net";
import { frame } from "../tests/support/netstring_client.ts";

/** What a crowd is told. */
export interface CrowdTask {
  /**
   * Says nothing; sends a byte of a long message every second; sends a message, and keeps the connection open; sends
   * most of a long message and no more; sends countless messages and reads no answer; sends long messages of nothing
   * but control characters, one after the other.
   */
  readonly kind: "idle" | "slow" | "flood" | "partial" | "deaf" | "shout";
  readonly port: number;
  readonly connections: number;
  /** Addresses that it comes from: `127.0.<network>.1` and so on. */
  readonly addresses: number;
  readonly network: number;
}

/** What became of a crowd. */
export interface CrowdResult {
  readonly acknowledged: number;
  readonly busy: number;
  readonly timedOut: number;
  /** Ended by the server without a word. */
  readonly cut: number;
  /** Could not be made at all. */
  readonly unconnected: number;
  readonly open: number;
}

const CONNECTING_AT_ONCE = 64;
const SLOW_MS = 1000;
const LONG_MESSAGE = Buffer.from(`60000:${"x".repeat(59_999)}`);
const SHOUTED_MESSAGE = frame("\u0001".repeat(65_000));
const TINY_MESSAGES = Buffer.from("0:,".repeat(100_000));

async function run({ kind, port, connections, addresses, network }: CrowdTask): Promise<void> {
  const result = { acknowledged: 0, busy: 0, timedOut: 0, cut: 0, unconnected: 0, open: 0 };
  let started = 0;
  const connectOne = async () => {
    const number = started++;
    const { promise, resolve } = Promise.withResolvers<void>();
    let answer = "";
    let isConnected = false;
    let timer: ReturnType<typeof setInterval> | undefined;
    const socket: Socket = createConnection({
      host: "127.0.0.1",
      port,
      localAddress: `127.0.${network}.${1 + (number % addresses)}`,
      noDelay: true,
    });
    socket.on("connect", () => {
      isConnected = true;
      result.open++;
      if (kind === "flood") socket.write(frame("flood"));
      if (kind === "partial") socket.write(LONG_MESSAGE);
      if (kind === "deaf") {
        socket.pause();
        const more = () =>
          void (socket.write(TINY_MESSAGES) ? setTimeout(more, 10) : socket.once("drain", more));
        more();
      }
      if (kind === "shout") socket.write(SHOUTED_MESSAGE);
      if (kind === "slow") {
        let sent = 0;
        timer = setInterval(() => void socket.write(LONG_MESSAGE.subarray(sent, ++sent)), SLOW_MS);
      }
      if (kind !== "flood") resolve();
    });
    socket.on("data", (piece: Buffer) => {
      answer += piece.toString();
      if (kind === "shout") {
        tally();
        answer = "";
        socket.write(SHOUTED_MESSAGE);
      }
      resolve();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      if (!isConnected) result.unconnected++;
      else {
        result.open--;
        if (answer === "") result.cut++;
      }
      tally();
      resolve();
    });
    const tally = () => {
      if (answer.includes("ok ")) result.acknowledged++;
      if (answer.includes("error busy")) result.busy++;
      if (answer.includes("error timeout")) result.timedOut++;
      answer = "-";
    };
    stopping.push(tally);
    await promise;
  };
  const stopping: (() => void)[] = [];
  const worker = async () => {
    while (started < connections) await connectOne();
  };
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, worker));
  process.stdout.write("ready\n");
  for await (const _ of process.stdin); // its end is the order to stop
  for (const tally of stopping) tally();
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit();
}

/** A crowd that stands. */
export interface Crowd extends AsyncDisposable {
  /** Ends it, and resolves to what became of it. */
  end(): Promise<CrowdResult>;
}

/** Starts a crowd; resolves when all its connections were made, or refused. */
export async function startCrowd(task: CrowdTask): Promise<Crowd> {
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(task)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => (await lines.read()).value ?? "";
  if (!(await read()).startsWith("ready")) throw new Error("The crowd did not come together");
  return {
    async end() {
      void child.stdin.end();
      return JSON.parse(await read()) as CrowdResult;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

if (import.meta.main) await run(JSON.parse(process.argv[2] ?? "{}") as CrowdTask);
