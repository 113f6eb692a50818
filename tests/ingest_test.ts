import { describe, expect, test } from "bun:test";
import { Ingest, type Received } from "../lib/ingest.ts";
import { Printer } from "../lib/printer.ts";
import type { Batch, Refusal, Store } from "../lib/store/store.ts";
import { createRecordingLog } from "./support/recording_log.ts";
import { until } from "./support/until.ts";

/** A write that waits for the test. */
interface Write {
  readonly batch: Batch;
  readonly commit: (refusals?: readonly Refusal[]) => void;
  readonly fail: (error: Error) => void;
}

/** An ingest whose store is played by the test. */
function createIngest({ output = async () => {}, hasStore = true, maxBatch = 1000 } = {}) {
  const writes: Write[] = [];
  const store: Store = {
    name: "a test",
    write(batch) {
      const { promise, resolve, reject } = Promise.withResolvers<readonly Refusal[]>();
      writes.push({ batch, commit: (refusals = []) => resolve(refusals), fail: reject });
      return promise;
    },
    async [Symbol.asyncDispose]() {},
  };
  const log = createRecordingLog();
  const printer = new Printer({ output, log });
  const ingest = new Ingest({ printer, log, maxBatch, ...(hasStore ? { store } : {}) });
  const writeAt = (index: number) => until(() => writes[index], { what: `write ${index}` });
  return { ingest, writes, writeAt, log };
}

function received(payload: string): Received {
  return { payload, hash: `hash of ${payload}`, ip: "127.0.0.1", port: 1, receivedAtSeconds: 1 };
}

function ok(payload: string) {
  return { kind: "ok", hash: `hash of ${payload}` } as const;
}

function payloadsOf({ batch }: Write): string[] {
  return batch.receipts.map(({ payload }) => payload);
}

describe("Ingest", () => {
  test("submit() answers after the commit, and not before", async () => {
    const { ingest, writeAt } = createIngest();
    let isAnswered = false;
    const answer = ingest.submit(received("a")).finally(() => (isAnswered = true));
    const write = await writeAt(0);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    write.commit();
    expect(await answer).toEqual(ok("a"));
  });

  test("submit() batches all that has arrived while the last batch was written", async () => {
    const { ingest, writeAt, writes } = createIngest();
    const first = ingest.submit(received("a"));
    const write = await writeAt(0);
    const later = ["b", "c", "d"].map((payload) => ingest.submit(received(payload)));
    write.commit();
    await first;
    const second = await writeAt(1);
    second.commit();
    expect(await Promise.all(later)).toEqual([ok("b"), ok("c"), ok("d")]);
    expect(writes.map(payloadsOf)).toEqual([["a"], ["b", "c", "d"]]);
    expect(write.batch.id).not.toBe(second.batch.id);
    await ingest.settled();
  });

  test("submit() writes a large batch beside the one that is being written, and no third", async () => {
    const { ingest, writeAt, writes } = createIngest();
    const submit = (count: number) =>
      Array.from({ length: count }, (_, index) => ingest.submit(received(`${index}`)));
    const answers = submit(1);
    const first = await writeAt(0);
    answers.push(...submit(31));
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(writes.length).toBe(1);
    answers.push(...submit(1));
    const second = await writeAt(1);
    answers.push(...submit(100));
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(writes.map((write) => payloadsOf(write).length)).toEqual([1, 32]);
    second.commit();
    (await writeAt(2)).commit();
    first.commit();
    await Promise.all(answers);
    await ingest.settled();
    expect(writes.map((write) => payloadsOf(write).length)).toEqual([1, 32, 100]);
  });

  test("submit() writes no more at once than the limit", async () => {
    const { ingest, writeAt, writes } = createIngest({ maxBatch: 2 });
    const answers = ["a", "b", "c", "d", "e"].map((payload) => ingest.submit(received(payload)));
    for (let index = 0; index < 3; index++) (await writeAt(index)).commit();
    expect(await Promise.all(answers)).toEqual([ok("a"), ok("b"), ok("c"), ok("d"), ok("e")]);
    expect(writes.map(payloadsOf)).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  test("submit() refuses what the store can never hold, and nothing else", async () => {
    const { ingest, writeAt } = createIngest();
    const answers = ["a", "b"].map((payload) => ingest.submit(received(payload)));
    (await writeAt(0)).commit([{ hash: "hash of b", reason: "Cannot hold it" }]);
    expect(await Promise.all(answers)).toEqual([
      ok("a"),
      { kind: "error", code: "unavailable", reason: "Cannot hold it" },
    ]);
  });

  test("submit() refuses all of a batch that could not be written, reports it once and goes on", async () => {
    const { ingest, writeAt, log } = createIngest();
    for (let index = 0; index < 2; index++) {
      const answer = ingest.submit(received("a"));
      (await writeAt(index)).fail(new Error("disk full"));
      expect(await answer).toEqual({
        kind: "error",
        code: "unavailable",
        reason: "Cannot store the message now: send it again later",
      });
    }
    const answer = ingest.submit(received("b"));
    (await writeAt(2)).commit();
    expect(await answer).toEqual(ok("b"));
    expect(log.lines.filter((line) => !line.startsWith("debug"))).toEqual([
      "warn Cannot acknowledge messages: disk full",
      "info Messages are acknowledged again after 2 failures",
    ]);
  });

  test("submit() acknowledges what is stored though it cannot be printed", async () => {
    const output = () => Promise.reject(new Error("broken pipe"));
    const { ingest, writeAt } = createIngest({ output });
    const answer = ingest.submit(received("a"));
    (await writeAt(0)).commit();
    expect(await answer).toEqual(ok("a"));
  });

  test("submit() does not wait for a slow output, which holds back the next batch alone", async () => {
    const slow = Promise.withResolvers<void>();
    const { ingest, writeAt, writes } = createIngest({ output: () => slow.promise });
    const first = ingest.submit(received("a"));
    (await writeAt(0)).commit();
    expect(await first).toEqual(ok("a"));
    const second = ingest.submit(received("b"));
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(writes.length).toBe(1);
    slow.resolve();
    (await writeAt(1)).commit();
    expect(await second).toEqual(ok("b"));
  });

  test("submit() without a store acknowledges what is printed, and refuses what is not", async () => {
    const lines: string[] = [];
    const printing = createIngest({
      hasStore: false,
      output: async (...printed: string[]) => void lines.push(...printed),
    });
    expect(await printing.ingest.submit(received("a"))).toEqual(ok("a"));
    expect(lines).toEqual(["DATA - 127.0.0.1:1 - a\n"]);

    const broken = createIngest({ hasStore: false, output: () => Promise.reject(new Error("broken pipe")) });
    expect(await broken.ingest.submit(received("a"))).toMatchObject({ kind: "error", code: "unavailable" });
  });

  test("settled() waits for all that was submitted", async () => {
    const { ingest, writeAt } = createIngest({ maxBatch: 1 });
    await ingest.settled();
    const answered: string[] = [];
    for (const payload of ["a", "b"])
      void ingest.submit(received(payload)).then(() => answered.push(payload));
    const both = [ingest.settled(), ingest.settled()];
    const settled = Promise.all(both).then(() => [...answered]);
    (await writeAt(0)).commit();
    (await writeAt(1)).commit();
    expect(await settled).toEqual(["a", "b"]);
  });
});
