import { describe, expect, test } from "bun:test";
import { openSpool } from "../../lib/store/spool.ts";
import { SpooledStore } from "../../lib/store/spooled.ts";
import type { Batch, Refusal, Store } from "../../lib/store/store.ts";
import { receiptOf } from "../support/receipts.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { openTempFolder } from "../support/temp_folder.ts";
import { until } from "../support/until.ts";

/** A store that can be told to be away. */
class FakeStore implements Store {
  readonly name = "Fake";
  readonly written: Batch[] = [];
  isAway = false;
  refused: readonly string[] = [];

  async write(batch: Batch): Promise<readonly Refusal[]> {
    if (this.isAway) throw new Error("Fake cannot be used: it is away");
    this.written.push(batch);
    return batch.receipts
      .filter(({ payload }) => this.refused.includes(payload))
      .map(({ hash }) => ({ hash, reason: "Cannot store the message as it is refused" }));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  get payloads(): string[] {
    return this.written.flatMap(({ receipts }) => receipts.map(({ payload }) => payload));
  }
}

async function open({ maxMessages = 1000, fake = new FakeStore(), folder = openTempFolder() } = {}) {
  const { path, file } = await folder;
  const log = createRecordingLog();
  const spool = openSpool({ file: file("spool.db"), maxMessages });
  const store = new SpooledStore({ store: fake, spool, log });
  return {
    path,
    fake,
    log,
    spool,
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      spool[Symbol.dispose]();
    },
  };
}

function batchOf(...payloads: readonly string[]): Batch {
  return { id: `batch ${payloads[0]}`, receipts: payloads.map((payload, at) => receiptOf(payload, { at })) };
}

/** A batch as it is moved: nobody knows whether it was applied before. */
function repeated(batch: Batch): Batch {
  return { ...batch, isRepeated: true };
}

describe("SpooledStore", () => {
  test("write() goes to the store while it is there, and the spool stays empty", async () => {
    await using opened = await open();
    const batch = batchOf("a", "b");
    expect(await opened.store.write(batch)).toEqual([]);
    expect({ written: opened.fake.written, spooled: opened.store.spooled }).toEqual({
      written: [batch],
      spooled: 0,
    });
  });

  test("write() takes batches while the store is away; they are moved as they are, oldest first", async () => {
    await using opened = await open();
    opened.fake.isAway = true;
    const batches = Array.from({ length: 20 }, (_, number) => batchOf(`${number} a`, `${number} b`));
    for (const batch of batches) expect(await opened.store.write(batch)).toEqual([]);
    expect({ isAway: opened.store.isAway, spooled: opened.store.spooled }).toEqual({
      isAway: true,
      spooled: 40,
    });

    opened.fake.isAway = false;
    await until(() => opened.store.spooled === 0, { what: "an empty spool" });
    expect(opened.fake.written).toEqual(batches.map(repeated));
    await until(() => !opened.store.isAway);
    await opened.store.write(batchOf("next"));
    expect(opened.fake.payloads.at(-1)).toBe("next");
    expect(opened.log.complaints).toEqual([
      "warn Fake cannot be used: it is away; messages wait in the spool",
    ]);
  });

  test("write() rejects when the spool is full, and takes messages again once there is room", async () => {
    await using opened = await open({ maxMessages: 3 });
    opened.fake.isAway = true;
    await opened.store.write(batchOf("a", "b"));
    await expect(opened.store.write(batchOf("c", "d"))).rejects.toThrow("--spool-max allows 3");
    await opened.store.write(batchOf("e"));
    opened.fake.isAway = false;
    await until(() => !opened.store.isAway, { what: "the store's return" });
    await opened.store.write(batchOf("c", "d"));
    await until(() => opened.store.spooled === 0);
    expect(opened.fake.payloads.toSorted()).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("a store that went away with no room in the spool is found again", async () => {
    await using opened = await open({ maxMessages: 0 });
    opened.fake.isAway = true;
    await expect(opened.store.write(batchOf("a"))).rejects.toThrow("--spool-max allows 0");
    opened.fake.isAway = false;
    await until(() => !opened.store.isAway, { what: "the store's return" });
    expect(await opened.store.write(batchOf("a"))).toEqual([]);
    expect(opened.fake.payloads).toEqual(["a"]);
  });

  test("what is left in the spool is moved by the next one that opens it", async () => {
    await using folder = await openTempFolder();
    const keep = Promise.resolve({ ...folder, [Symbol.asyncDispose]: async () => {} });
    const fake = new FakeStore();
    fake.isAway = true;
    {
      await using before = await open({ fake, folder: keep });
      await before.store.write(batchOf("a"));
      await before.store.write(batchOf("b"));
    }
    expect(fake.written).toEqual([]);
    fake.isAway = false;
    await using after = await open({ fake, folder: keep });
    await until(() => after.store.spooled === 0, { what: "an empty spool" });
    expect(fake.written).toEqual([batchOf("a"), batchOf("b")].map(repeated));
  });

  test("a message that the store refuses for good stays in the spool, and stops no other", async () => {
    await using opened = await open();
    opened.fake.isAway = true;
    opened.fake.refused = ["b"];
    await opened.store.write(batchOf("a", "b", "c"));
    await opened.store.write(batchOf("d"));
    opened.fake.isAway = false;
    await until(() => opened.fake.payloads.includes("d"), { what: "the batch behind" });
    await until(() => opened.store.spooled === 1);
    expect(opened.spool.oldest("Fake")).toBeUndefined();
    expect(opened.log.complaints.filter((line) => line.startsWith("error"))).toEqual([
      "error Keeping 1 messages in the spool: Cannot store the message as it is refused",
    ]);
  });
});
