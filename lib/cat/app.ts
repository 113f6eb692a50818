import { Hono, type Context } from "hono";
import { basicAuth } from "hono/basic-auth";
import { compress } from "hono/compress";
import { HTTPException } from "hono/http-exception";
import type { TableAnswer } from "./answer.ts";
import { Cached } from "./cached.ts";
import type { Live } from "./dashboard/live.ts";
import { createDashboard } from "./dashboard/routes.ts";
import { CatError, renderError } from "./errors.ts";
import { acceptsFirst, wantsJson } from "./format.ts";
import { Stores, type StoresOptions } from "./stores.ts";
import { createTables } from "./tables.ts";
import { parseFormat } from "./view.ts";

/** Options of {@linkcode createCat}. */
export interface CatOptions extends StoresOptions {
  /** Asked of everybody, by HTTP Basic authentication; without it all may look. */
  readonly auth?: { readonly user: string; readonly password: string } | undefined;
  /** Watches the stores for the dashboard, and is their owner then; without it there is no `/dashboard`. */
  readonly live?: Live | undefined;
  /** Answered to Prometheus; without it there is no `/metrics`. */
  readonly metrics?: CatMetrics | undefined;
}

/** Counts requests and renders the counts for Prometheus. */
export interface CatMetrics {
  readonly contentType: string;
  render(): Promise<string>;
  observeRequest(request: { readonly route: string; readonly status: number }): void;
}

const TEXT = "text/plain; charset=utf-8";
const JSON_TEXT = "application/json; charset=utf-8";
/** How old a list may be, in milliseconds; its `Cache-Control` says so in seconds. */
const LIST_TTL_MS = 1000;
const LIST_CACHE_CONTROL = `max-age=${LIST_TTL_MS / 1000}`;
/** A page is named by its own hash: it never changes. */
const PAGE_CACHE_CONTROL = "max-age=31536000, immutable";
const MAX_CACHED_PAGES = 256;
const HASH = /^[0-9a-f]{64}$/;

/**
 * Creates the stats API, in the style of Elasticsearch's `_cat`: text for people and line tools, JSON for programs.
 *
 * It runs wherever Hono does, as it takes its stores and all else from outside.
 */
export function createCat(options: CatOptions): Hono {
  const { auth, metrics, live, log } = options;
  const stores = live?.stores ?? new Stores(options);
  const tables = createTables(stores);
  const lists = new Cached<TableAnswer>({ ttlMs: LIST_TTL_MS });
  const pages = new Cached<string | undefined>({ ttlMs: LIST_TTL_MS, maxEntries: MAX_CACHED_PAGES });
  const app = new Hono({ strict: false });

  if (metrics) {
    app.use(async (context, next) => {
      await next();
      metrics.observeRequest({ route: context.req.routePath, status: context.res.status });
    });
  }
  app.use(compress());
  app.get("/healthz", () => plain("ok", "no-store"));
  if (auth) app.use(basicAuth({ username: auth.user, password: auth.password, realm: "stats" }));
  app.use(async ({ req: { method, path } }, next) => {
    if (method === "GET" || method === "HEAD") return next();
    throw new CatError(`Cannot use method [${method}] on [${path}]: expected GET or HEAD`, {
      status: 405,
      type: "method_not_allowed_exception",
      headers: { allow: "GET, HEAD" },
    });
  });

  app.get("/", ({ req }) => {
    const isBrowser = live !== undefined && acceptsFirst(req, "text/html", "text/plain");
    // Relative, as the older implementations have it, and as a proxy may add a prefix.
    const location = isBrowser ? "dashboard" : "_cat";
    return new Response(null, { status: 302, headers: { location, vary: "Accept" } });
  });
  if (live) app.route("/", createDashboard(live));
  app.get("/_cat", (context) => {
    parseFormat(queryOf(context), "/_cat");
    const paths = ["/_cat/hashes", "/_cat/hashes/{hash}", ...tables.slice(1).map(({ path }) => path)];
    return wantsJson(context.req)
      ? respond(JSON.stringify(paths), { type: JSON_TEXT, cacheControl: LIST_CACHE_CONTROL })
      : plain(["=^.^=", ...paths].join("\n"), LIST_CACHE_CONTROL);
  });
  for (const { path, answer } of tables) {
    app.get(path, async (context) => {
      const isJson = wantsJson(context.req);
      const { url } = context.req.raw;
      const at = url.indexOf("?");
      const search = at < 0 ? "" : url.slice(at + 1);
      const { body, next } = await lists.get(`${isJson} ${path} ${search}`, () =>
        answer({ query: new URLSearchParams(search), isJson }),
      );
      return respond(body, {
        type: isJson ? JSON_TEXT : TEXT,
        cacheControl: LIST_CACHE_CONTROL,
        link: next && nextLink(search, next),
      });
    });
  }
  app.get("/_cat/hashes/:hash", async (context) => {
    parseFormat(queryOf(context), "/_cat/hashes/{hash}");
    const hash = context.req.param("hash");
    const page = HASH.test(hash)
      ? await pages.get(hash, async () =>
          (await stores.pages((reader) => reader.readPages([hash]))).get(hash),
        )
      : undefined;
    if (page === undefined)
      throw new CatError("Hash not found", { status: 404, type: "resource_not_found_exception" });
    return plain(page, PAGE_CACHE_CONTROL);
  });
  app.get("/readyz", async () => {
    const states = await stores.check();
    const isReady = states.every(({ state }) => state === "up");
    const lines = states.map(({ store, state }) => `${store} ${state}`);
    return new Response(lines.join("\n"), {
      status: isReady ? 200 : 503,
      headers: { "content-type": TEXT, "cache-control": "no-store" },
    });
  });
  if (metrics) {
    app.get("/metrics", async () =>
      respond(await metrics.render(), { type: metrics.contentType, cacheControl: "no-store" }),
    );
  }

  app.notFound((context) =>
    renderError(
      new CatError(`Cannot find [${context.req.path}]: /_cat lists what there is`, {
        status: 404,
        type: "resource_not_found_exception",
      }),
      context,
    ),
  );
  app.onError((error, context) => {
    if (error instanceof CatError) return renderError(error, context);
    if (error instanceof HTTPException && error.status === 401) {
      const challenge = error.getResponse().headers.get("www-authenticate") ?? "Basic";
      return renderError(
        new CatError("Cannot answer without a user and a password that are right", {
          status: 401,
          type: "security_exception",
          headers: { "www-authenticate": challenge },
        }),
        context,
      );
    }
    log.error(`Cannot answer ${context.req.path}: ${error.stack}`);
    return renderError(
      new CatError("Cannot answer because of an error of this program: its log tells more", {
        status: 500,
        type: "exception",
      }),
      context,
    );
  });
  return app;
}

function plain(text: string, cacheControl: string): Response {
  return respond(text, { type: TEXT, cacheControl });
}

interface Headers {
  readonly type: string;
  readonly cacheControl: string;
  readonly link?: string | undefined;
}

function respond(body: string, { type, cacheControl, link }: Headers): Response {
  return new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": cacheControl,
      vary: "Accept",
      // A page is shown as text: a browser must not take it for the HTML it is.
      "x-content-type-options": "nosniff",
      ...(link ? { link } : {}),
    },
  });
}

/** Tells how to go on, as RFC 8288 ("Web Linking") has it; relative, as a proxy may stand in front. */
function nextLink(search: string, next: string): string {
  const query = new URLSearchParams(search);
  query.set("before", next);
  return `<?${query}>; rel="next"`;
}

function queryOf({ req }: Context): URLSearchParams {
  return new URL(req.url).searchParams;
}
