import uplotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import style from "./dashboard.css" with { type: "text" };
import script from "./dashboard.js" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import { CatError } from "../errors.ts";
import type { Route } from "../respond.ts";
import { Feed } from "./feed.ts";
import type { Live } from "./live.ts";
import { renderPage } from "./page.ts";

// Everything comes from this server, and nothing runs or looks as a text in the page says.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const ASSETS = [
  ["uplot.js", "text/javascript", uplotScript],
  ["uplot.css", "text/css", uplotStyle],
  ["dashboard.js", "text/javascript", script],
  ["dashboard.css", "text/css", style],
  ["icon.svg", "image/svg+xml", icon],
] as const;

/** Creates the dashboard's routes: the page, its events and what it is made of. */
export function createDashboardRoutes(live: Live): readonly Route[] {
  const feed = new Feed(live);
  const page: Route = {
    path: "/dashboard",
    async answer({ req }) {
      // The page's links are relative, so that it also works behind a proxy that adds a prefix.
      if (req.path.endsWith("/")) return redirect("../dashboard");
      const headers = { ...HEADERS, "content-type": "text/html; charset=utf-8" };
      return new Response(renderPage(await live.read()), { headers });
    },
  };
  const events: Route = {
    path: "/dashboard/events",
    async answer() {
      if (feed.isFull) {
        throw new CatError("Cannot take more viewers now: try again in 30 s", {
          status: 503,
          type: "too_many_viewers_exception",
          headers: { "retry-after": "30" },
        });
      }
      await live.read();
      const headers = { ...HEADERS, "content-type": "text/event-stream", "x-accel-buffering": "no" };
      return new Response(feed.open(), { headers });
    },
  };
  // Browsers ask for it beside what is no page of ours, such as the source of a block page.
  const favicon: Route = { path: "/favicon.ico", answer: () => redirect("dashboard/icon.svg") };
  const assets = ASSETS.map(([name, type, text]): Route => {
    const headers = { ...HEADERS, "cache-control": "max-age=3600", "content-type": `${type}; charset=utf-8` };
    return { path: `/dashboard/${name}`, answer: () => new Response(text, { headers }) };
  });
  return [page, events, favicon, ...assets];
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}
