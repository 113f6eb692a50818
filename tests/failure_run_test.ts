import { describe, expect, test } from "bun:test";
import { FailureRun } from "../lib/failure_run.ts";
import { createRecordingLog } from "./support/recording_log.ts";

describe("FailureRun", () => {
  test("report() warns once of the same, counts it, and recovered() tells how often it was", () => {
    const log = createRecordingLog();
    const run = new FailureRun(log);
    for (const message of ["Broken", "Broken", "Also broken"]) run.report(message);
    run.recovered("Works again");
    run.report("Broken");
    run.recovered("Works again");
    expect(log.lines).toEqual([
      "warn Broken",
      "debug Broken (failure 2)",
      "warn Also broken",
      "info Works again after 3 failures",
      "warn Broken",
      "info Works again after 1 failure",
    ]);
  });

  test("report() takes messages that differ in a long number for the same, and others not", () => {
    const log = createRecordingLog();
    const run = new FailureRun(log);
    for (const message of ["Request 12345", "Request 1234567", "HTTP 429", "HTTP 500"]) run.report(message);
    expect(log.complaints).toEqual(["warn Request 12345", "warn HTTP 429", "warn HTTP 500"]);
  });

  test("report() warns of so many different things and no more", () => {
    const log = createRecordingLog();
    const run = new FailureRun(log);
    for (let number = 0; number < 100; number++) run.report(`Broken in way ${number}`);
    expect(log.complaints.length).toBe(16);
  });

  test("recovered() says nothing when nothing had failed", () => {
    const log = createRecordingLog();
    new FailureRun(log).recovered("Works again");
    expect(log.lines).toEqual([]);
  });
});
