import { describe, expect, test as everywhere } from "bun:test";
import type { Batch, PageStore, Receipt, ServerRow, StatsStore, Store } from "../../lib/store/store.ts";

/** A store to test, empty at first; disposing it removes what it stands on. */
export interface Opened<S extends Store> extends AsyncDisposable {
  readonly store: S;
  /** Opens the same store once more, as another process would; whoever calls it disposes it. */
  again(): Promise<S>;
}

/** What a backend stores; a backend of both gives both. */
export interface Backend {
  readonly pages?: () => Promise<Opened<PageStore>>;
  readonly stats?: () => Promise<Opened<StatsStore>>;
}

/** Defines the tests that every backend passes, with the `test` that its services are there for. */
export function describeStore(
  name: string,
  { pages, stats }: Backend,
  { test = everywhere }: { readonly test?: typeof everywhere } = {},
): void {
  if (!pages && !stats) throw new TypeError(`Cannot test ${name} as it stores nothing`);
  if (pages) describe(`${name}, as a store of pages`, () => describePages(pages, test));
  if (stats) describe(`${name}, as a store of statistics`, () => describeStats(stats, test));
}

function hashOf(payload: string): string {
  return new Bun.CryptoHasher("sha256").update(payload).digest("hex");
}

function receipt(payload: string, { ip = "127.0.0.1", at = 1_700_000_000 } = {}): Receipt {
  return { hash: hashOf(payload), payload, ip, receivedAtSeconds: at };
}

function batch(...receipts: readonly Receipt[]): Batch {
  return { id: crypto.randomUUID(), receipts };
}

function numbered(count: number, options?: Parameters<typeof receipt>[1]): Receipt[] {
  return Array.from({ length: count }, (_, number) => receipt(`page ${number}`, options));
}

function describePages(open: () => Promise<Opened<PageStore>>, test: typeof everywhere): void {
  const PAYLOADS = [
    ["markup", '<!doctype html>\n<html class="no-js" lang="">\n</html>'],
    ["quotes and backslashes", `'";--\\n\\0 \\' %s $1 ?`],
    ["characters of one to four bytes", "aé€\u{1f600}"],
    ["a byte order mark", "\ufeffpage"],
    ["white space at both ends", " \t\r\n page \n\n"],
    ["control characters", "\u0000\u0001\u001b[2J\u007f\u009f"],
    ["characters that are equal to a careless collation", "ß ss e é E \u0065\u0301"],
    ["a payload of the limit", "x".repeat(65_535)],
    ["a payload of the limit in characters of several bytes", "€".repeat(21_845)],
  ] as const;

  test.each(PAYLOADS)("write() keeps %s to the byte", async (_, payload) => {
    await using opened = await open();
    expect(await opened.store.write(batch(receipt(payload)))).toEqual([]);
    expect(await opened.store.readPages([hashOf(payload)])).toEqual(new Map([[hashOf(payload), payload]]));
  });

  test("readPages() gives those that are stored, and nothing of the others", async () => {
    await using opened = await open();
    const receipts = numbered(300);
    await opened.store.write(batch(...receipts));
    const asked = receipts.filter((_, index) => index % 2 === 0);
    expect(await opened.store.readPages([...asked.map(({ hash }) => hash), hashOf("unknown")])).toEqual(
      new Map(asked.map(({ hash, payload }) => [hash, payload])),
    );
    expect(await opened.store.readPages([hashOf("unknown")])).toEqual(new Map());
    expect(await opened.store.readPages([])).toEqual(new Map());
    for (const text of ["", "%", "' OR 1=1 --", `${receipts[0]?.hash} `])
      expect(await opened.store.readPages([text])).toEqual(new Map());
  });

  test("write() stores a page once, in one batch and in several", async () => {
    await using opened = await open();
    const page = receipt("the same");
    await opened.store.write(batch(page, page, page));
    await opened.store.write(batch(page));
    expect((await opened.store.readPages([page.hash, page.hash])).size).toBe(1);
  });

  test("write() takes an empty batch, and a large one", async () => {
    await using opened = await open();
    expect(await opened.store.write(batch())).toEqual([]);
    const receipts = numbered(5000);
    expect(await opened.store.write(batch(...receipts))).toEqual([]);
    const hashes = receipts.map(({ hash }) => hash);
    expect((await opened.store.readPages(hashes.slice(0, 500))).size).toBe(500);
    expect((await opened.store.readPages(hashes.slice(-500))).size).toBe(500);
  });

  test("what write() has resolved for is there when the store is opened again", async () => {
    await using opened = await open();
    const page = receipt("page");
    await opened.store.write(batch(page));
    await using again = await opened.again();
    expect((await again.readPages([page.hash])).get(page.hash)).toBe("page");
  });

  test("several that write the same pages at once store each once, and none fails", async () => {
    await using opened = await open();
    const stores = [opened.store, await opened.again(), await opened.again()];
    await using _others = disposing(stores.slice(1));
    const receipts = numbered(200);
    const orders = [receipts, receipts.toReversed(), receipts.toSorted((a, b) => (a.hash < b.hash ? -1 : 1))];
    const refusals = await Promise.all(
      stores.flatMap((store, index) =>
        Array.from({ length: 10 }, (_unused, part) =>
          store.write(batch(...(orders[index] ?? []).slice(part * 20, part * 20 + 20))),
        ),
      ),
    );
    expect(refusals.flat()).toEqual([]);
    expect((await opened.store.readPages(receipts.map(({ hash }) => hash))).size).toBe(200);
  });
}

function describeStats(open: () => Promise<Opened<StatsStore>>, test: typeof everywhere): void {
  test("lists nothing at first", async () => {
    await using opened = await open();
    expect([await opened.store.listHashes({ limit: 100 }), await opened.store.listClients()]).toEqual([
      [],
      [],
    ]);
  });

  test("listHashes() lists the newest first, equal times in descending order of the hash", async () => {
    await using opened = await open();
    const times = [3, 1, 2, 2, 2, 1.5];
    const receipts = times.map((at, index) => receipt(`page ${index}`, { at: 1_700_000_000 + at }));
    await opened.store.write(batch(...receipts.slice(0, 3)));
    await opened.store.write(batch(...receipts.slice(3)));
    const expected = receipts
      .map(({ hash, receivedAtSeconds }) => ({ hash, receivedAtSeconds }))
      .toSorted((a, b) => b.receivedAtSeconds - a.receivedAtSeconds || (a.hash < b.hash ? 1 : -1));
    expect(await opened.store.listHashes({ limit: 100 })).toEqual(expected);
    expect(await opened.store.listHashes({ limit: 4 })).toEqual(expected.slice(0, 4));
    expect(await opened.store.listHashes({ limit: 1 })).toEqual(expected.slice(0, 1));
  });

  test("listHashes() keeps a time to the microsecond", async () => {
    await using opened = await open();
    const at = 1_795_329_806.578901;
    await opened.store.write(batch(receipt("page", { at })));
    const [row] = await opened.store.listHashes({ limit: 1 });
    expect(row?.receivedAtSeconds).toBeCloseTo(at, 6);
  });

  test("a page's time is the earliest of all its receipts, in whatever order they come", async () => {
    await using opened = await open();
    for (const at of [20, 10, 30]) await opened.store.write(batch(receipt("one", { at })));
    await opened.store.write(batch(...[20, 10, 30].map((at) => receipt("two", { at: at + 1 }))));
    expect(await opened.store.listHashes({ limit: 100 })).toEqual([
      { hash: hashOf("two"), receivedAtSeconds: 11 },
      { hash: hashOf("one"), receivedAtSeconds: 10 },
    ]);
  });

  test("listClients() counts every receipt for its sender, new page or not", async () => {
    await using opened = await open();
    await opened.store.write(
      batch(
        receipt("a", { ip: "10.0.0.1" }),
        receipt("a", { ip: "10.0.0.2" }),
        receipt("b", { ip: "10.0.0.1" }),
      ),
    );
    await opened.store.write(batch(receipt("a", { ip: "10.0.0.1" })));
    expect(byIp(await opened.store.listClients())).toEqual([
      { ip: "10.0.0.1", messages: 3 },
      { ip: "10.0.0.2", messages: 1 },
    ]);
  });

  test("listClients() keeps IPv6 addresses whole", async () => {
    await using opened = await open();
    const addresses = ["2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8::1", "::1"];
    await opened.store.write(batch(...addresses.map((ip) => receipt("page", { ip }))));
    expect(byIp(await opened.store.listClients())).toEqual(
      addresses.toSorted().map((ip) => ({ ip, messages: 1 })),
    );
  });

  test("several that write at once count each receipt once", async () => {
    await using opened = await open();
    const stores = [opened.store, await opened.again(), await opened.again()];
    await using _others = disposing(stores.slice(1));
    const batches = Array.from({ length: 30 }, (_, number) =>
      batch(receipt("the same"), receipt(`page ${number}`), receipt("other", { ip: "10.0.0.1" })),
    );
    expect(batches.length).toBe(30);
    await Promise.all(batches.map((each, index) => stores[index % stores.length]?.write(each)));
    expect(byIp(await opened.store.listClients())).toEqual([
      { ip: "10.0.0.1", messages: 30 },
      { ip: "127.0.0.1", messages: 60 },
    ]);
    expect((await opened.store.listHashes({ limit: 100 })).length).toBe(32);
  });

  test("what write() has resolved for is there when the store is opened again", async () => {
    await using opened = await open();
    await opened.store.write(batch(receipt("page")));
    await using again = await opened.again();
    expect(await again.listClients()).toEqual([{ ip: "127.0.0.1", messages: 1 }]);
    expect((await again.listHashes({ limit: 1 })).length).toBe(1);
  });

  test("listHashes() goes on strictly behind a row, whether it is stored or not", async () => {
    await using opened = await open();
    const receipts = numbered(30).map((each, index) => ({
      ...each,
      receivedAtSeconds: Math.floor(index / 4),
    }));
    await opened.store.write(batch(...receipts));
    const all = await opened.store.listHashes({ limit: 100 });
    for (const [index, before] of all.entries())
      expect(await opened.store.listHashes({ limit: 5, before })).toEqual(all.slice(index + 1, index + 6));
    const between = { receivedAtSeconds: 3.5, hash: hashOf("unknown") };
    expect(await opened.store.listHashes({ limit: 100, before: between })).toEqual(
      all.filter(({ receivedAtSeconds }) => receivedAtSeconds < 3.5),
    );
    const [first] = all;
    const tied = { receivedAtSeconds: first?.receivedAtSeconds ?? 0, hash: "8".repeat(64) };
    expect(await opened.store.listHashes({ limit: 100, before: tied })).toEqual(
      all.filter(
        ({ receivedAtSeconds, hash }) => receivedAtSeconds < tied.receivedAtSeconds || hash < tied.hash,
      ),
    );
  });

  test("listServers() lists the last heartbeat of each server, by host, port and pid", async () => {
    await using opened = await open();
    const self = { pid: 7, version: "1.2.3", startedAtSeconds: 1_700_000_000.5 };
    const server = (host: string, port: number, received: number): ServerRow => ({
      ...self,
      host,
      port,
      connections: 3,
      received,
      stored: 1,
      spooled: 0,
    });
    await opened.store.beat(server("b", 9999, 5));
    await opened.store.beat(server("b", 9999, 6));
    await (await opened.again()).beat(server("a", 9999, 7));
    await opened.store.beat(server("a", 8888, 8));
    expect(await opened.store.listServers()).toEqual([
      server("a", 8888, 8),
      server("a", 9999, 7),
      server("b", 9999, 6),
    ]);
  });

  test("check() resolves while the store answers", async () => {
    await using opened = await open();
    await opened.store.check();
  });
}

function byIp<Row extends { readonly ip: string }>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => (a.ip < b.ip ? -1 : 1));
}

function disposing(stores: readonly Store[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]();
    },
  };
}
