import type { Log } from "../../lib/log.ts";

/** A log that keeps what it is told, as `<level> <message>`. */
export interface RecordingLog extends Log {
  readonly lines: readonly string[];
  /** The lines of warnings and errors. */
  readonly complaints: readonly string[];
}

/** Creates a log that keeps what it is told. */
export function createRecordingLog(): RecordingLog {
  const lines: string[] = [];
  return {
    lines,
    get complaints() {
      return lines.filter((line) => /^(warn|error) /.test(line));
    },
    debug: (message) => void lines.push(`debug ${message}`),
    info: (message) => void lines.push(`info ${message}`),
    warn: (message) => void lines.push(`warn ${message}`),
    error: (message) => void lines.push(`error ${message}`),
  };
}
