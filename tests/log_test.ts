import { describe, expect, test } from "bun:test";
import { createLog, type Log, type LogOptions } from "../lib/log.ts";

function record(use: (log: Log) => void, options: Partial<LogOptions> = {}): string[] {
  const lines: string[] = [];
  use(createLog({ format: "text", verbose: false, write: (line) => lines.push(line), ...options }));
  return lines.map((line) => line.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<time>"));
}

function useAll(log: Log): void {
  log.debug("a step");
  log.info("a fact");
  log.warn("a problem");
  log.error("a failure");
}

describe("createLog()", () => {
  test("writes text lines, debug ones only when verbose", () => {
    const expected = ["<time> info  a fact\n", "<time> warn  a problem\n", "<time> error a failure\n"];
    expect(record(useAll)).toEqual(expected);
    expect(record(useAll, { verbose: true })).toEqual(["<time> debug a step\n", ...expected]);
  });

  test("writes one JSON object a line", () => {
    expect(record(useAll, { format: "json" }).map((line) => JSON.parse(line))).toEqual([
      { time: "<time>", level: "info", message: "a fact" },
      { time: "<time>", level: "warn", message: "a problem" },
      { time: "<time>", level: "error", message: "a failure" },
    ]);
  });

  test("folds no equal lines", () => {
    const lines = record((log) => {
      for (let count = 0; count < 20; count++) log.info("the same");
    });
    expect(lines).toEqual(Array.from({ length: 20 }, () => "<time> info  the same\n"));
  });

  test.each(["text", "json"] as const)(
    "lets no message drive the terminal or forge a line, as %s",
    (format) => {
      const lines = record((log) => log.info("%s %d %o\n2026 error forged\u001b[2J"), { format });
      expect(lines.length).toBe(1);
      expect(lines[0]).toContain("%s %d %o");
      // oxlint-disable-next-line no-control-regex
      expect(lines[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f]/);
    },
  );
});
