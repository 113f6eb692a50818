import { expect, test } from "bun:test";
import { JoinedStore } from "../../lib/store/joined.ts";
import type { Batch, Store } from "../../lib/store/store.ts";
import { receiptOf } from "../support/receipts.ts";

function fakeStore(name: string, refusedPayload?: string): Store & { readonly payloads: string[] } {
  const payloads: string[] = [];
  return {
    name,
    payloads,
    async write({ receipts }: Batch) {
      const [refused, taken] = [true, false].map((isRefused) =>
        receipts.filter(({ payload }) => (payload === refusedPayload) === isRefused),
      );
      payloads.push(...(taken ?? []).map(({ payload }) => payload));
      return (refused ?? []).map(({ hash }) => ({ hash, reason: "No" }));
    },
    async [Symbol.asyncDispose]() {},
  };
}

test("JoinedStore.write() gives each store what those before it did not refuse", async () => {
  const [pages, stats] = [fakeStore("Pages", "bad"), fakeStore("Stats")];
  await using opened = new AsyncDisposableStack();
  const store = new JoinedStore([pages, stats], { opened });
  const receipts = ["a", "bad", "b"].map((payload) => receiptOf(payload));
  expect(await store.write({ id: "1", receipts })).toEqual([{ hash: receiptOf("bad").hash, reason: "No" }]);
  expect([store.name, pages.payloads, stats.payloads]).toEqual(["Pages and Stats", ["a", "b"], ["a", "b"]]);
});
