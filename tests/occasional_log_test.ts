import { expect, test } from "bun:test";
import { OccasionalLog } from "../lib/occasional_log.ts";
import { createRecordingLog } from "./support/recording_log.ts";

test("OccasionalLog warns of each kind at once, and then at most once in a time with a count", () => {
  const log = createRecordingLog();
  const occasional = new OccasionalLog({ log, everyMs: 1000 });
  occasional.warn("one", "first", 0);
  occasional.warn("two", "other", 0);
  for (let now = 1; now <= 500; now++) occasional.warn("one", `message ${now}`, now);
  occasional.flush(999);
  expect(log.lines).toEqual(["warn first", "warn other"]);
  occasional.flush(1000);
  occasional.flush(1500);
  expect(log.lines.slice(2)).toEqual(["warn message 500 (the last of 500 more like it)"]);
  // It still goes on, which is too soon to be said; later it has ended, so that the next is the first again.
  occasional.warn("one", "late", 1600);
  occasional.flush(1999);
  occasional.flush(2000);
  occasional.flush(3000);
  occasional.warn("one", "first of another time", 3001);
  expect(log.lines.slice(3)).toEqual([
    "warn late (the last of 1 more like it)",
    "warn first of another time",
  ]);
});
