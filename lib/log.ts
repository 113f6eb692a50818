import { createConsola, type LogObject } from "consola";
import { printable } from "./printable.ts";

/** Where a program tells people what it does. Messages are whole sentences; control characters in them are made visible. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** How log lines look: text for people, or one JSON object a line. */
export type LogFormat = "text" | "json";

/** Options of {@linkcode createLog}. */
export interface LogOptions {
  readonly format: LogFormat;
  /** Also writes debug messages. */
  readonly verbose: boolean;
  /** Takes each finished line, newline included. @default {process.stderr} */
  readonly write?: (line: string) => void;
}

const INFO_LEVEL = 3;
const DEBUG_LEVEL = 4;

/** Creates a log that writes to stderr, so that stdout carries data alone. */
export function createLog({
  format,
  verbose,
  write = (line) => process.stderr.write(line),
}: LogOptions): Log {
  const render = format === "json" ? renderJson : renderText;
  const logger = createConsola({
    level: verbose ? DEBUG_LEVEL : INFO_LEVEL,
    throttle: 0, // equal lines within a second would be folded otherwise
    reporters: [{ log: (entry) => write(`${render(entry)}\n`) }],
  });
  // Wrapped in an object, a message is never taken for a format string or for consola's own options.
  return {
    debug: (message) => logger.debug({ message }),
    info: (message) => logger.info({ message }),
    warn: (message) => logger.warn({ message }),
    error: (message) => logger.error({ message }),
  };
}

function renderText(entry: LogObject): string {
  return `${entry.date.toISOString()} ${entry.type.padEnd(5)} ${printable(messageOf(entry))}`;
}

function renderJson(entry: LogObject): string {
  return JSON.stringify({
    time: entry.date.toISOString(),
    level: entry.type,
    message: printable(messageOf(entry)),
  });
}

function messageOf(entry: LogObject): string {
  return String(entry.args[0] ?? "");
}
