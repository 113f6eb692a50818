import { join } from "node:path";
import { within } from "./until.ts";

/** Options of {@linkcode startProgram}. */
export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to the environment of the tests; an undefined one is taken out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Gives it a process group of its own, as a terminal does. @default {false} */
  readonly detached?: boolean;
  /** Takes each piece of stderr as it comes. */
  readonly onStderr?: (text: string) => void;
}

/** How a program ended. */
export interface ProgramEnd {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The repository. */
export const ROOT = join(import.meta.dir, "..", "..");

/** Starts an entry of the repository as a user would, such as `["server.ts", "--port", "0"]`. */
export function startEntry(args: readonly string[], options: ProgramOptions = {}): Program {
  const [entry = "", ...flags] = args;
  return startProgram([process.execPath, join(ROOT, entry), ...flags], options);
}

/** Starts a program. */
export function startProgram(command: readonly string[], options: ProgramOptions = {}): Program {
  return new Program(command, options);
}

/** A program that runs; disposing it kills it. */
export class Program implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #end: Promise<ProgramEnd>;
  readonly #waiting = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #hasEnded = false;

  constructor(command: readonly string[], options: ProgramOptions) {
    const { cwd = ROOT, env = {}, detached = false, onStderr } = options;
    this.#process = Bun.spawn([...command], {
      cwd,
      env: { ...cleanEnvironment(), ...env },
      detached,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const reading = Promise.all([
      this.#read(this.#process.stdout, (text) => (this.#stdout += text)),
      this.#read(this.#process.stderr, (text) => {
        this.#stderr += text;
        onStderr?.(text);
      }),
    ]);
    this.#end = Promise.all([this.#process.exited, reading]).then(([status]) => {
      this.#hasEnded = true;
      this.#notify();
      return { status, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves once the program has ended. */
  get ended(): Promise<ProgramEnd> {
    return within(this.#end, { what: `the end of the program, which wrote:\n${this.#output}` });
  }

  /** Whether the program has ended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Resolves to the first match in what the program has written on stdout or stderr, or will write. */
  async match(pattern: RegExp): Promise<RegExpExecArray> {
    const find = () => pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
    for (;;) {
      const found = find();
      if (found) return found;
      if (this.#hasEnded) break;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await within(promise, { what: `${pattern} of a program that wrote:\n${this.#output}` });
    }
    throw new Error(`The program ended without ${pattern}; it wrote:\n${this.#output}`);
  }

  /** Resolves to the port that the program says it listens on. */
  async port(): Promise<number> {
    const [, port] = await this.match(/Listening\D* \S*:(\d+)\b/);
    return Number(port);
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Sends a signal to each process of its group, as a Ctrl-C does; for a detached one. */
  killGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  get #output(): string {
    return this.#stdout + this.#stderr;
  }

  async #read(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const piece of stream) {
      add(decoder.decode(piece, { stream: true }));
      this.#notify();
    }
  }

  #notify(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Without what the machine's user has set for this system, and without colours. */
function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(ETH|MYSQL|REDIS)_|^FORCE_COLOR$/.test(name),
  );
  return { ...(Object.fromEntries(kept) as Record<string, string>), NO_COLOR: "1" };
}
