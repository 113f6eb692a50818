import { join } from "node:path";
import type { ApiEvent } from "./events.ts";

const RUNTIME = join(import.meta.dir, "lambda_runtime.mjs");

/** What the function answers to an event of an HTTP API. */
export interface LambdaAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

/** The bundle in a process of Node.js, as in one environment of Lambda; disposing it ends it. */
export class LambdaProcess implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #lines: AsyncIterator<string>;
  /** What it has written besides its results. */
  readonly output: string[] = [];

  constructor(bundle: string, env: Readonly<Record<string, string>>) {
    this.#process = Bun.spawn([Bun.which("node") ?? "node", RUNTIME, bundle], {
      // Node.js alone, as Lambda knows nothing of this machine.
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#lines = readLines(this.#process.stdout);
    void this.#keepErrors();
  }

  /** Resolves to how long it took to load, in milliseconds. */
  async loaded(): Promise<number> {
    return (await this.#next<{ loadedMs: number }>("LOADED")).loadedMs;
  }

  /** Has it answer an event; one after the other, as Lambda does. */
  async answer(event: ApiEvent): Promise<LambdaAnswer> {
    return (await this.#invoke("handler", event)) as LambdaAnswer;
  }

  /** Has it look at the stores. */
  async watch(): Promise<void> {
    await this.#invoke("watch", {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async #invoke(name: "handler" | "watch", event: object): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify({ name, event })}\n`);
    void this.#process.stdin.flush();
    const result = await this.#next<{ value?: unknown; error?: string }>("RESULT");
    if (result.error) throw new Error(result.error);
    return result.value;
  }

  async #next<Result>(kind: string): Promise<Result> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`The function has ended; it wrote:\n${this.output.join("\n")}`);
      if (value.startsWith(`${kind} `)) return JSON.parse(value.slice(kind.length + 1)) as Result;
      this.output.push(value);
    }
  }

  async #keepErrors(): Promise<void> {
    const lines = readLines(this.#process.stderr);
    for (let line = await lines.next(); !line.done; line = await lines.next()) this.output.push(line.value);
  }
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}
