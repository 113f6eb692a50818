import { readCommandLine, renderHelp, UsageError, type Entry } from "./cli.ts";
import type { Flags, SettingsOf } from "./flags.ts";
import { createLog, type Log } from "./log.ts";
import { OperationalError } from "./operational_error.ts";
import { sleep } from "./retry.ts";
import type { commonFlags } from "./settings/common.ts";

/** What the main function of an entry is given. */
export interface Context<F extends Flags> {
  readonly settings: SettingsOf<F>;
  readonly log: Log;
  /** Aborted by the first SIGINT or SIGTERM: finish and return. */
  readonly signal: AbortSignal;
}

/** `bun run --parallel` passes on a Ctrl-C that the terminal has given to the whole group: both copies count as one. */
const SAME_SIGNAL_MS = 500;
const EXIT_FAILED = 1;
const EXIT_WRONG_USAGE = 2;

/**
 * Runs a command line tool to its end: reads its settings, runs `main` and exits.
 *
 * The exit status is 0 after a clean stop, 1 after a failure and 2 after a wrong command line. The first SIGINT
 * or SIGTERM asks `main` to finish; a second one, half a second later or more, ends the process at once.
 */
export async function runEntry<F extends Flags & typeof commonFlags>(
  entry: Entry<F>,
  main: (context: Context<F>) => Promise<void>,
): Promise<never> {
  const stop = new AbortController();
  let stoppedAt = Infinity;
  // Before anything else, as process 1 of a container ignores signals that have no handler.
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      stoppedAt = Math.min(stoppedAt, performance.now());
      stop.abort();
      if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(EXIT_FAILED);
    });
  }
  const status = await runToStatus(entry, { main, signal: stop.signal });
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  process.exit(status);
}

async function runToStatus<F extends Flags & typeof commonFlags>(
  entry: Entry<F>,
  { main, signal }: { main: (context: Context<F>) => Promise<void>; signal: AbortSignal },
): Promise<number> {
  let jsonLog: Log | undefined;
  try {
    const request = readCommandLine(entry, { argv: process.argv.slice(2), env: process.env });
    if (request.kind !== "run") {
      return print(request.kind === "help" ? await renderHelp(entry) : `${entry.name} ${entry.version}\n`);
    }
    const { settings } = request;
    // F contains the common flags, which the compiler cannot see through SettingsOf<F>.
    const common = settings as unknown as SettingsOf<typeof commonFlags>;
    const log = createLog({ format: common.logFormat, verbose: common.verbose });
    if (common.logFormat === "json") jsonLog = log;
    if (common.waitMs > 0) log.info(`Waiting ${common.waitMs / 1000} s before anything else`);
    await sleep(common.waitMs, signal);
    if (!signal.aborted) await main({ settings, log, signal });
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\nSee bun ${entry.name}.ts --help\n`);
      return EXIT_WRONG_USAGE;
    }
    if (error instanceof OperationalError && jsonLog) jsonLog.error(error.message);
    else if (error instanceof OperationalError) process.stderr.write(`${error.message}\n`);
    else console.error(error);
    return EXIT_FAILED;
  }
}

function print(text: string): number {
  const plain = !process.stdout.isTTY || process.env["NO_COLOR"];
  process.stdout.write(plain ? Bun.stripANSI(text) : text);
  return 0;
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}
