/** Opens the dashboard of the function in a real browser. */
import { expect, test } from "bun:test";
import { launchBrowser, openPage } from "../../../tests/support/browser.ts";
import { until } from "../../../tests/support/until.ts";
import { recordEvent } from "./events.ts";
import type { LambdaProcess } from "./lambda_process.ts";
import { AUTH, openScene } from "./scene.ts";

const TIMEOUT_MS = 90_000;

/** Stands in for the HTTP API: an event for each request, one after the other as one function takes them. */
function startApi(lambda: LambdaProcess) {
  let last: Promise<unknown> = Promise.resolve();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch({ url, method, headers }) {
      const { pathname, search } = new URL(url);
      const ask = { method, path: pathname, query: search.slice(1), headers: Object.fromEntries(headers) };
      const turn = last.then(() => lambda.answer(recordEvent(ask)));
      last = turn.catch(() => {}); // whoever asked is told
      const answer = await turn;
      const body = Buffer.from(answer.body, answer.isBase64Encoded ? "base64" : "utf8");
      return new Response(body, { status: answer.statusCode, headers: { ...answer.headers } });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}

test(
  "the dashboard on Lambda shows new blocks without a reload, and never that its connection is lost",
  async () => {
    await using scene = await openScene();
    await using lambda = scene.startFunction();
    await using api = startApi(lambda);
    const browser = await launchBrowser();
    try {
      await using opened = await openPage(browser, {
        httpCredentials: { username: AUTH.username, password: AUTH.password },
      });
      const { page, complaints } = opened;
      await page.goto(`${api.url}/`);
      expect(new URL(page.url()).pathname).toBe("/dashboard");
      await page.locator("#status").filter({ hasText: "Live" }).waitFor();
      let wasAway = false;
      const watching = setInterval(async () => {
        wasAway ||= await page
          .locator("#away")
          .isVisible()
          .catch(() => false);
      }, 100);
      for (const block of [1000n, 1001n]) {
        await scene.addBlock(block);
        await until(
          async () =>
            (await page.locator("#latest [data-block]").first().getAttribute("data-block")) === `${block}`,
          {
            timeoutMs: 30_000,
            what: `block ${block} in the dashboard`,
          },
        );
      }
      clearInterval(watching);
      expect({ wasAway, complaints }).toEqual({ wasAway: false, complaints: [] });
    } finally {
      await browser.close();
    }
  },
  TIMEOUT_MS,
);
