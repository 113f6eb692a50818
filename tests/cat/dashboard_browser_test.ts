import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { renderBlockPage } from "../../lib/block_page.ts";
import { startStats, type Stats } from "../../lib/stats.ts";
import { RedisStore } from "../../lib/store/redis.ts";
import { openSqliteStore, type SqliteStore } from "../../lib/store/sqlite.ts";
import type { PageReader, ServerRow, StatsReader } from "../../lib/store/store.ts";
import { testWith } from "../services.ts";
import { findBarriers, launchBrowser, openPage } from "../support/browser.ts";
import { receiptOf } from "../support/cat.ts";
import { startRedis } from "../support/database_server.ts";
import { ROOT } from "../support/program.ts";
import { createRandom } from "../support/random.ts";
import { createRecordingLog } from "../support/recording_log.ts";

const SCREENSHOTS = join(ROOT, "test-results");
const HOSTILE = `"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'&amp;`;
const SERVER: ServerRow = {
  host: "alpha",
  port: 9999,
  pid: 7,
  version: "1.2.3",
  startedAtSeconds: 1795329800,
  connections: 3,
  received: 1000,
  stored: 600,
  spooled: 2,
};

// A browser on a busy machine takes its time.
setDefaultTimeout(60_000);

const test = testWith(["chromium"]);
const testWithRedis = testWith(["chromium", "redis"], { own: true });
let browser: Browser | undefined;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await launchBrowser().catch(() => undefined); // then no test runs
});
afterAll(() => browser?.close());

function open(options: Parameters<typeof openPage>[1] = {}) {
  if (!browser) throw new Error("Cannot open a page without a browser");
  return openPage(browser, options);
}

function start(pages: PageReader, stats: StatsReader = pages as SqliteStore, port = 0): Stats {
  const settings = { host: "localhost", port, auth: undefined };
  return startStats({ settings, pages, stats, log: createRecordingLog() });
}

const urlOf = ({ port }: { readonly port: number }) => `http://127.0.0.1:${port}/`;
const nowSeconds = () => Date.now() / 1000;

async function addBlock(store: SqliteStore, number: bigint, receivedAtSeconds = nowSeconds()): Promise<void> {
  await store.write({
    id: `${number}`,
    receipts: [receiptOf(renderBlockPage(number), { receivedAtSeconds })],
  });
}

/** A day of blocks at 12 s or so, some clients and servers. */
async function fill(store: SqliteStore): Promise<void> {
  const random = createRandom(12);
  let at = nowSeconds() - 4;
  const receipts = Array.from({ length: 7200 }, (_, index) => {
    at -= 12 * (random() < 0.04 ? 2 : 1) + random() - 0.5;
    const ip =
      ["10.0.0.2", "10.0.0.3", "192.168.1.20", "2001:db8::7"][Math.floor(random() ** 2 * 4)] ?? "::1";
    return receiptOf(renderBlockPage(23_456_789n - BigInt(index)), { ip, receivedAtSeconds: at });
  });
  const [first] = receipts;
  if (first) receipts[0] = { ...first, receivedAtSeconds: nowSeconds() - 4 };
  await store.write({ id: "day", receipts });
  for (const [index, host] of ["ingest-1", "ingest-2", "ingest-3"].entries())
    await store.beat({ ...SERVER, host, startedAtSeconds: nowSeconds() - 90_000 * (index + 1) });
}

const waitForText = (page: Page, selector: string, text: string | RegExp) =>
  page.locator(selector).filter({ hasText: text }).waitFor();
const waitForNone = (page: Page, selector: string) => page.locator(selector).waitFor({ state: "detached" });

describe("the dashboard in a browser", () => {
  testWithRedis(
    "goes from empty to the first block, tells that a store is away, and recovers, without a reload",
    async () => {
      await using redis = await startRedis({ flags: ["--appendonly", "yes"] });
      await using statistics = new RedisStore({ host: redis.host, port: redis.port, db: 0 });
      await using pages = openSqliteStore({ file: ":memory:" });
      await using stats = start(pages, statistics);
      await using opened = await open({ timezoneId: "Asia/Tokyo", locale: "en-GB" });
      const { page, complaints, hosts } = opened;
      const add = async (number: bigint) => {
        const receipts = [receiptOf(renderBlockPage(number), { receivedAtSeconds: nowSeconds() })];
        for (const store of [pages, statistics]) await store.write({ id: `${number}`, receipts });
      };

      await page.goto(urlOf(stats)); // a browser is sent on to the dashboard
      expect(page.url()).toBe(`${urlOf(stats)}dashboard`);
      await page.evaluate(() => void Object.assign(globalThis, { isSamePage: true }));
      await waitForText(page, "#notice", "Nothing has arrived yet");
      await waitForText(page, "#status", "Live");
      expect(await findBarriers(page)).toEqual([]);

      await add(18_000_000n);
      await waitForText(page, "#latest .number", "18000000");
      await waitForText(page, "#latest .age", /\d s ago/);
      await waitForNone(page, "#notice .notice");
      await waitForText(page, "#clients", "127.0.0.1");
      expect(await page.title()).toBe("18000000 · Ethereum blocks");

      await redis.end();
      await waitForText(page, "#notice .away", "Redis does not answer");
      await waitForText(page, "#stores", /Redis\s*away/);
      expect(await page.locator("#latest .number").textContent()).toContain("18000000");
      expect(await findBarriers(page)).toEqual([]);

      await redis.start();
      await waitForNone(page, "#notice .notice");
      await add(18_000_001n);
      await waitForText(page, "#latest .number", "18000001");
      await waitForText(page, "#stores", /Redis\s*up/);

      expect(await page.evaluate(() => "isSamePage" in globalThis)).toBe(true);
      const time = page.locator("#blocks time").first();
      const shown = await time.textContent();
      const utc = (await time.getAttribute("title")) ?? "";
      const inTokyo = new Date(utc).toLocaleTimeString("en-GB", { timeZone: "Asia/Tokyo" });
      expect({ shown, isUtc: utc.endsWith("Z") }).toEqual({ shown: inTokyo, isUtc: true });
      expect({ complaints, hosts: [...hosts] }).toEqual({
        complaints: [],
        hosts: [new URL(urlOf(stats)).host],
      });
    },
  );

  test("tells that the connection is away and goes on by itself", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    await addBlock(store, 5n);
    const stats = start(store);
    const { port } = stats;
    await using opened = await open();
    const { page } = opened;
    await page.goto(urlOf(stats));
    await waitForText(page, "#status", "Live");
    expect(await page.locator("#away").isVisible()).toBe(false);
    await stats[Symbol.asyncDispose]();
    await page.locator("#away").waitFor({ state: "visible" });
    await waitForText(page, "#status", "Reconnecting");
    expect(await page.locator("#latest .number").textContent()).toContain("5");
    await addBlock(store, 6n);
    await using _again = start(store, store, port);
    await page.locator("#away").waitFor({ state: "hidden" });
    await waitForText(page, "#latest .number", "6");
    await waitForText(page, "#status", "Live");
  });

  test("tells that no block has come for long", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    await addBlock(store, 5n, nowSeconds() - 3600);
    await using stats = start(store);
    await using opened = await open();
    await opened.page.goto(urlOf(stats));
    await waitForText(opened.page, "#notice .stale", "No new block since");
    await waitForText(opened.page, "#latest .age", "1 h 0 min");
    await addBlock(store, 6n);
    await waitForNone(opened.page, "#notice .notice");
  });

  test("shows what senders and servers call themselves as text, and pages as source", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    const receivedAtSeconds = nowSeconds();
    const hostile = receiptOf(HOSTILE, { ip: HOSTILE, receivedAtSeconds });
    await store.write({ id: "hostile", receipts: [hostile] });
    await store.beat({ ...SERVER, host: HOSTILE, version: HOSTILE });
    await using stats = start(store);
    await using opened = await open();
    const { page, complaints } = opened;
    await page.goto(urlOf(stats));
    await waitForText(page, "#status", "Live");
    await waitForText(page, "#clients tbody th", HOSTILE);
    await waitForText(page, "#servers tbody th", HOSTILE);
    // Once more through the script's own way of showing things.
    await store.beat({ ...SERVER, host: HOSTILE, version: HOSTILE, received: 4711 });
    await waitForText(page, "#servers", "4,711");
    await page.locator("#blocks a").first().click();
    expect(await page.locator("body").textContent()).toBe(HOSTILE);
    expect(await page.evaluate(() => "hacked" in globalThis)).toBe(false);
    expect(complaints).toEqual([]);
  });

  test("runs nothing that its policy does not allow", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    await using stats = start(store);
    await using opened = await open();
    const { page, complaints } = opened;
    await page.goto(urlOf(stats));
    await page.evaluate(`
      document.body.insertAdjacentHTML("beforeend", '<img src="data:," onerror="window.hacked=1">');
      document.body.append(Object.assign(document.createElement("script"), { textContent: "window.hacked=1" }));
    `);
    expect(await page.evaluate(() => "hacked" in globalThis)).toBe(false);
    expect(complaints.join()).toContain("Content Security Policy");
    const policy = (await fetch(`${urlOf(stats)}dashboard`)).headers.get("content-security-policy");
    expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toContain("unsafe");
  });

  test("is of use without a script, and by keyboard", async () => {
    await using store = openSqliteStore({ file: ":memory:" });
    await fill(store);
    await using stats = start(store);
    await using plain = await open({ javaScriptEnabled: false });
    await plain.page.goto(`${urlOf(stats)}dashboard`);
    expect(await plain.page.locator("#latest .number").textContent()).toContain("23456789");
    expect(await plain.page.locator("#blocks tbody tr").count()).toBe(20);
    await using opened = await open();
    await opened.page.goto(`${urlOf(stats)}dashboard/`); // the slash leads to the same page
    await opened.page.keyboard.press("Tab");
    expect(await opened.page.evaluate("document.activeElement?.textContent")).toBe("Skip to the blocks");
    for (let presses = 0; presses < 20; presses++) {
      await opened.page.keyboard.press("Tab");
      const href = await opened.page.evaluate<string | null>('document.activeElement?.getAttribute("href")');
      if (href?.startsWith("_cat/hashes/") && presses > 0) break;
    }
    await opened.page.keyboard.press("Enter");
    await opened.page.waitForURL(/\/_cat\/hashes\/[0-9a-f]{64}$/);
  });

  const LOOKS = (["light", "dark"] as const).flatMap((colorScheme) =>
    (
      [
        ["desktop", { width: 1360, height: 900 }],
        ["phone", { width: 390, height: 844 }],
      ] as const
    ).map(([device, viewport]) => [device, colorScheme, viewport] as const),
  );
  test.each(LOOKS)(
    "is readable on a %s in %s, and axe finds nothing",
    async (device, colorScheme, viewport) => {
      await using store = openSqliteStore({ file: ":memory:" });
      await fill(store);
      await using stats = start(store);
      await using opened = await open({ colorScheme, viewport, reducedMotion: "reduce" });
      const { page, complaints } = opened;
      await page.goto(urlOf(stats));
      await waitForText(page, "#status", "Live");
      await page.locator("#day-plot canvas").waitFor();
      await page.screenshot({
        path: join(SCREENSHOTS, `dashboard-${device}-${colorScheme}.png`),
        fullPage: true,
      });
      expect(await findBarriers(page)).toEqual([]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(viewport.width);
      expect(complaints).toEqual([]);
    },
  );
});
