import { describe, expect, test } from "bun:test";
import { renderBlockPage } from "../../lib/block_page.ts";
import { html } from "../../lib/cat/dashboard/html.ts";
import { Live } from "../../lib/cat/dashboard/live.ts";
import { renderPage } from "../../lib/cat/dashboard/page.ts";
import { renderFragments } from "../../lib/cat/dashboard/parts.ts";
import { createCat } from "../../lib/cat/app.ts";
import { computeSeries, lastMinute, medianInterval } from "../../lib/cat/dashboard/series.ts";
import { Stores } from "../../lib/cat/stores.ts";
import { openSqliteStore, type SqliteStore } from "../../lib/store/sqlite.ts";
import { openCat, receiptOf } from "../support/cat.ts";
import { createRecordingLog } from "../support/recording_log.ts";
import { until } from "../support/until.ts";

const NOW_SECONDS = 1_795_329_840;
const QUESTIONS = ["listHashes", "listClients", "listServers", "readPages", "countPages", "check"];

function openLive() {
  const store = openSqliteStore({ file: ":memory:" });
  const asked: string[] = [];
  const counted: SqliteStore = new Proxy(store, {
    get(_, name) {
      const value: unknown = Reflect.get(store, name, store);
      if (typeof value !== "function") return value;
      if (QUESTIONS.includes(String(name))) {
        return (...args: unknown[]) => {
          asked.push(String(name));
          return value.apply(store, args);
        };
      }
      return value.bind(store);
    },
  });
  const clock = { nowMs: NOW_SECONDS * 1000 };
  const stores = new Stores({ pages: counted, stats: counted, log: createRecordingLog() });
  const live = new Live({ stores, now: () => clock.nowMs });
  const app = createCat({ pages: counted, stats: counted, live, log: createRecordingLog() });
  const addBlock = (number: bigint, receivedAtSeconds: number) =>
    store.write({ id: `${number}`, receipts: [receiptOf(renderBlockPage(number), { receivedAtSeconds })] });
  const tick = async () => {
    clock.nowMs += 1000;
    await live.tick();
  };
  return {
    store,
    app,
    live,
    asked,
    clock,
    addBlock,
    tick,
    async [Symbol.asyncDispose]() {
      live[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

describe("Live", () => {
  test("a thousand viewers cost the store at most one question a second, while blocks arrive all the time", async () => {
    await using opened = openLive();
    const { app, live, asked, tick, addBlock } = opened;
    const readers = await Promise.all(
      Array.from({ length: 1000 }, async () => (await app.request("/dashboard/events")).body?.getReader()),
    );
    expect(live.viewers).toBe(1); // the feed, which stands for all of them
    await Promise.all(readers.map((reader) => reader?.read()));
    asked.length = 0;
    for (let second = 1; second <= 60; second++) {
      if (second % 3 === 0) await addBlock(BigInt(second), NOW_SECONDS + second);
      await tick();
    }
    expect(asked.length).toBeLessThanOrEqual(60);
    expect(new Set(asked)).toEqual(new Set(["listHashes", "readPages", "listClients", "listServers"]));
    for (const reader of readers) {
      const { value } = (await reader?.read()) ?? {};
      expect(Buffer.from(value ?? []).toString()).toContain("event: ");
    }
    await Promise.all(readers.map((reader) => reader?.cancel()));
    expect(live.viewers).toBe(0);
    expect(await (await app.request("/dashboard/events", { method: "HEAD" })).text()).toBe("");
    expect(live.viewers).toBe(0);
  });

  test("reads all the rest too while there is a new block with every question", async () => {
    await using opened = openLive();
    const { live, tick, addBlock } = opened;
    await live.read();
    using _ = live.watch(() => {});
    for (let block = 1n; block <= 60n; block++) {
      await addBlock(block, NOW_SECONDS + Number(block));
      await tick();
    }
    expect(live.snapshot().messages).toBeGreaterThan(40);
  });

  test("tells blocks from the other pages of the last hour, however many came since", async () => {
    await using opened = openLive();
    const { live, store, addBlock } = opened;
    for (let page = 0; page < 100; page++) {
      const receivedAtSeconds = NOW_SECONDS - 300 + page / 10;
      await store.write({
        id: `page ${page}`,
        receipts: [receiptOf(`hello ${page}`, { receivedAtSeconds })],
      });
    }
    for (let block = 0; block < 50; block++) await addBlock(BigInt(block), NOW_SECONDS - 250 + block * 5);
    const { intervalSeconds, series } = await live.read();
    expect([intervalSeconds, series.hour[0]?.length]).toEqual([5, 49]);
  });

  test("shows each block within three seconds", async () => {
    await using opened = openLive();
    const { live, tick, addBlock } = opened;
    await live.read();
    using _ = live.watch(() => {});
    for (let block = 1n; block <= 30n; block++) {
      await addBlock(block, NOW_SECONDS + Number(block));
      for (let second = 0; second < 3; second++) await tick();
      expect(live.snapshot().blocks[0]?.blockNumber).toBe(block);
    }
  });

  test("asks next to nothing while nobody looks", async () => {
    await using opened = openLive();
    for (let second = 0; second < 60; second++) await opened.tick();
    expect(opened.asked).toEqual(["listClients", "listClients", "listClients"]);
  });

  test("read() gives all there is to the first viewer, and shares it for a second", async () => {
    await using opened = openLive();
    const { live, asked, addBlock, clock } = opened;
    await addBlock(7n, NOW_SECONDS - 1);
    const [snapshot] = await Promise.all(Array.from({ length: 50 }, () => live.read()));
    expect(snapshot?.blocks.map((block) => block.blockNumber)).toEqual([7n]);
    expect(asked.toSorted()).toEqual(["listClients", "listHashes", "listServers", "readPages"]);
    clock.nowMs += 2000;
    await addBlock(8n, NOW_SECONDS);
    expect((await live.read()).blocks.map((block) => block.blockNumber)).toEqual([8n, 7n]);
  });

  test("says of what it could not read yet that it is not known", async () => {
    await using opened = openLive();
    const { live, store, clock, addBlock } = opened;
    const { listHashes, listClients, listServers } = store;
    const away = async () => {
      throw new Error("away");
    };
    Object.assign(store, { listHashes: away, listClients: away, listServers: away });
    const before = renderFragments(await live.read());
    const told = [before.figures, before.blocks, before.clients, before.servers].join("\n");
    expect(told.match(/not known yet/gi)?.length).toBe(7);
    expect(told).not.toMatch(/<strong>0|None|No block/);
    Object.assign(store, { listHashes, listClients, listServers });
    clock.nowMs += 2000;
    await addBlock(7n, NOW_SECONDS);
    expect(Object.values(renderFragments(await live.read())).join("\n")).not.toMatch(/Not known yet\./);
  });

  test("keeps what it knows while the store is away, and reads on when it is back", async () => {
    await using opened = openLive();
    const { live, store, tick, addBlock } = opened;
    await addBlock(7n, NOW_SECONDS - 1);
    await live.read();
    using _ = live.watch(() => {});
    const { listHashes } = store;
    const away = async () => {
      throw new Error("away");
    };
    Object.assign(store, { listHashes: away, listClients: away, listServers: away });
    for (let second = 0; second < 4; second++) await tick();
    expect(live.snapshot()).toMatchObject({ blocks: [{ blockNumber: 7n }], stores: [{ state: "away" }] });
    Object.assign(store, { listHashes });
    await addBlock(8n, NOW_SECONDS);
    for (let second = 0; second < 4; second++) await tick();
    expect(live.snapshot()).toMatchObject({ blocks: [{ blockNumber: 8n }, { blockNumber: 7n }] });
  });

  test("follows a store that was emptied, and one that got more than a page of rows at once", async () => {
    await using opened = openLive();
    const { live, store, tick } = opened;
    using _ = live.watch(() => {});
    const receipts = Array.from({ length: 300 }, (_, index) =>
      receiptOf(renderBlockPage(BigInt(index)), { receivedAtSeconds: NOW_SECONDS - 1000 + index }),
    );
    await store.write({ id: "some", receipts: receipts.slice(0, 50) });
    for (let second = 0; second < 3; second++) await tick();
    await store.write({ id: "all", receipts });
    for (let second = 0; second < 3; second++) await tick();
    expect(live.snapshot().series.hour[0]).toHaveLength(299);
    Object.assign(store, { listHashes: async () => [] });
    for (let second = 0; second < 3; second++) await tick();
    expect(live.snapshot()).toMatchObject({ blocks: [] });
  });
});

describe("the feed", () => {
  test("sends a viewer all there is, then what changes, and a sign of life", async () => {
    await using opened = openLive();
    const { app, live, tick, addBlock } = opened;
    const response = await app.request("/dashboard/events");
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body?.getReader();
    const read = async () => Buffer.from((await reader?.read())?.value ?? []).toString();
    const names = (text: string) => [...text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
    expect(names(await read())).toEqual([
      "notice",
      "latest",
      "figures",
      "blocks",
      "clients",
      "servers",
      "stores",
      "summary",
      "series",
    ]);
    await addBlock(7n, NOW_SECONDS);
    let seen = "";
    const reading = until(async () => (seen += await read()).includes('data-block="7"'));
    for (let second = 0; second < 6; second++) await tick();
    await reading;
    expect(names(seen)).toContain("beat");
    expect(names(seen)).not.toContain("servers"); // which did not change
    live[Symbol.dispose]();
    await until(async () => (await reader?.read())?.done, { what: "the end of the stream" });
  });

  test("a viewer that reads nothing is let go", async () => {
    await using opened = openLive();
    const { app, live, tick, addBlock } = opened;
    const response = await app.request("/dashboard/events");
    const { body } = response; // held, and not read
    for (let block = 1n; live.viewers > 0; block++) {
      expect(block).toBeLessThan(100n);
      await addBlock(block, NOW_SECONDS + Number(block));
      for (let second = 0; second < 3; second++) await tick();
    }
    await body?.cancel();
  });
});

describe("the page", () => {
  test("says that nothing has arrived yet", async () => {
    await using opened = openLive();
    const page = renderPage(await opened.live.read());
    expect(page).toStartWith("<!doctype html>");
    expect(page).toContain("Nothing has arrived yet");
  });

  test("says nothing while all is well, and that the data is stale after ten times the usual interval", async () => {
    await using opened = openLive();
    const { live, addBlock, clock } = opened;
    for (let block = 0; block < 10; block++) await addBlock(BigInt(block), NOW_SECONDS - 10 * (9 - block));
    const notice = async () => renderFragments(await live.read()).notice;
    expect(await notice()).toBe("");
    clock.nowMs += 99_000;
    expect(await notice()).toBe("");
    clock.nowMs += 2000;
    expect(await notice()).toContain("No new block since");
  });

  test("escapes all that comes from outside", async () => {
    await using opened = openLive();
    const { live, store } = opened;
    const hostile = `"><script>'&`;
    await store.write({
      id: "1",
      receipts: [receiptOf(hostile, { ip: hostile, receivedAtSeconds: NOW_SECONDS })],
    });
    const page = renderPage({
      ...(await live.read()),
      servers: [
        {
          host: hostile,
          port: 1,
          pid: 1,
          version: hostile,
          startedAtSeconds: Number.MAX_VALUE,
          connections: 0,
          received: 0,
          stored: 0,
          spooled: 0,
        },
      ],
      stores: [{ store: hostile, state: "away", latencyMs: null }],
    });
    expect(page.match(/<script/g)).toHaveLength(2); // its own two
    expect(page.match(/&quot;&gt;&lt;script&gt;&#39;&amp;/g)).toHaveLength(5);
  });

  test("html`` escapes texts and puts lists and markup together", () => {
    const rows = [1, 2].map((number) => html`<b>${number}</b>`);
    expect(html`<p title="${'"<'}">${rows}${html`<i>${"&"}</i>`}${10n}</p>`.text).toBe(
      `<p title="&quot;&lt;"><b>1</b><b>2</b><i>&amp;</i>10</p>`,
    );
  });
});

describe("what the charts show", () => {
  test("intervals of the last hour, and the mean and longest of the day's quarters of an hour", () => {
    const now = 90_000;
    const times = [now, now - 10, now - 3600, now - 3700, now - 90_000];
    expect(computeSeries(times, { nowSeconds: now, totals: new Map() })).toMatchObject({
      hour: [
        [now - 3600, now - 10, now],
        [100, 3590, 10],
      ],
      day: [
        [85_950, 86_850, 89_550, 90_450],
        [86_300, 100, 3590, 10],
        [86_300, 100, 3590, 10],
      ],
    });
  });

  test("messages a minute, with gaps where nobody counted", () => {
    const now = 100 * 60 + 30;
    const totals = new Map([
      [96, 1000],
      [98, 1100],
      [99, 1150],
      [100, 1160],
    ]);
    const { messages } = computeSeries([], { nowSeconds: now, totals });
    expect(messages.map((values) => values.slice(-5))).toEqual([
      [96 * 60, 97 * 60, 98 * 60, 99 * 60, 100 * 60],
      [null, null, null, 50, 10],
    ]);
    expect(messages[0]).toHaveLength(60);
    expect([lastMinute(totals, now), lastMinute(totals, now - 120)]).toEqual([50, undefined]);
  });

  test("the median of the last hour", () => {
    expect(medianInterval([100, 88, 76, 12], 100)).toBe(12);
    expect(medianInterval([100], 100)).toBeUndefined();
    expect(medianInterval([100, 88], 10_000)).toBeUndefined();
  });
});

describe("/", () => {
  const ACCEPTS = [
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "dashboard"],
    ["*/*", "_cat"],
    ["text/plain, text/html", "_cat"],
    ["application/json", "_cat"],
  ] as const;
  test.each(ACCEPTS)("sends those who accept %s to %s", async (accept, location) => {
    await using opened = openLive();
    await using cat = await openCat({ live: opened.live });
    const response = await cat.get("/", { headers: { accept } });
    expect([response.status, response.headers.get("location")]).toEqual([302, location]);
  });

  test("sends everybody to _cat where there is no dashboard", async () => {
    await using cat = await openCat();
    const response = await cat.get("/", { headers: { accept: "text/html" } });
    expect(response.headers.get("location")).toBe("_cat");
    expect((await cat.get("/dashboard")).status).toBe(404);
  });
});
