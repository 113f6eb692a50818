import { Hono, type Context, type HonoRequest } from "hono";
import { basicAuth } from "hono/basic-auth";
import { compress } from "hono/compress";
import { Cached } from "./cached.ts";
import type { Live } from "./dashboard/live.ts";
import { createDashboardRoutes } from "./dashboard/routes.ts";
import { CatError, explainError, renderError } from "./errors.ts";
import { acceptsFirst, wantsJson } from "./format.ts";
import { createHeaders, JSON_TEXT, respond, TEXT, type Route } from "./respond.ts";
import { Stores, type StoresOptions } from "./stores.ts";
import { createTables, type TableRoute } from "./tables.ts";
import { parseFormat } from "./view.ts";

/** Options of {@linkcode createCat}. */
export interface CatOptions extends StoresOptions {
  /** Asked of everybody, by HTTP Basic authentication; without it all may look. */
  readonly auth?: { readonly user: string; readonly password: string } | undefined;
  /** Watches the stores for the dashboard, with stores of its own; without it there is no `/dashboard`. */
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
  const app = new Hono({ strict: false });
  const compressed = compress();
  const compressInto = async (context: Context, response: Response): Promise<Response> => {
    context.res = response;
    await compressed(context, async () => {});
    return context.res;
  };
  const explain = (error: Error, context: Context): Response => {
    const explained = explainError(error);
    if (explained.status === 500) log.error(`Cannot answer ${context.req.path}: ${error.stack}`);
    return renderError(explained, context);
  };
  // Not as middleware, and at once where there is nothing to wait for: either costs a request as much as its route does.
  const add = ({ path, answer }: Route) => {
    const finish = (context: Context, response: Response): Response | Promise<Response> => {
      metrics?.observeRequest({ route: path, status: response.status });
      if (context.req.method === "HEAD") return dropBody(response);
      if (context.req.header("accept-encoding") === undefined) return response;
      return compressInto(context, response);
    };
    app.get(path, (context): Response | Promise<Response> => {
      try {
        const answered = answer(context);
        if (answered instanceof Response) return finish(context, answered);
        return answered
          .catch((error: Error) => explain(error, context))
          .then((response) => finish(context, response));
      } catch (error) {
        return finish(context, explain(error as Error, context));
      }
    });
  };

  add({ path: "/healthz", answer: () => respond("ok") });
  if (auth) app.use(basicAuth({ username: auth.user, password: auth.password, realm: "stats" }));
  add(createRootRoute({ hasDashboard: live !== undefined }));
  add(createPathsRoute(tables));
  for (const route of createListRoutes(tables)) add(route);
  add(createPageRoute(stores));
  add(createReadyRoute(stores));
  for (const route of live ? createDashboardRoutes(live) : []) add(route);
  if (metrics) {
    const { contentType: type } = metrics;
    add({ path: "/metrics", answer: async () => respond(await metrics.render(), { type }) });
  }

  const elsewhere = (error: Error, context: Context) => {
    const response = explain(error, context);
    metrics?.observeRequest({ route: "/*", status: response.status });
    return response;
  };
  app.notFound((context) => elsewhere(createNotFound(context.req), context));
  app.onError(elsewhere);
  return app;
}

/** Leaves of an answer what HEAD asks for, the length included. */
async function dropBody(response: Response): Promise<Response> {
  const { body, status } = response;
  const headers = new Headers(response.headers);
  // Events have no end.
  if (headers.get("content-type") === "text/event-stream") await body?.cancel();
  else headers.set("content-length", String((await response.arrayBuffer()).byteLength));
  return new Response(null, { status, headers });
}

function createNotFound({ method, path }: HonoRequest): CatError {
  if (method === "GET" || method === "HEAD") {
    const type = "resource_not_found_exception";
    return new CatError(`Cannot find [${path}]: /_cat lists what there is`, { status: 404, type });
  }
  return new CatError(`Cannot use method [${method}] on [${path}]: expected GET or HEAD`, {
    status: 405,
    type: "method_not_allowed_exception",
    headers: { allow: "GET, HEAD" },
  });
}

function createRootRoute({ hasDashboard }: { readonly hasDashboard: boolean }): Route {
  return {
    path: "/",
    answer({ req }) {
      const isBrowser = hasDashboard && acceptsFirst(req, "text/html", "text/plain");
      // Relative, as the older implementations have it, and as a proxy may add a prefix.
      const location = isBrowser ? "dashboard" : "_cat";
      return new Response(null, { status: 302, headers: { location, vary: "Accept" } });
    },
  };
}

function createPathsRoute(tables: readonly TableRoute[]): Route {
  const paths = ["/_cat/hashes", "/_cat/hashes/{hash}", ...tables.slice(1).map(({ path }) => path)];
  return {
    path: "/_cat",
    answer({ req }) {
      parseFormat(new URL(req.url).searchParams, "/_cat");
      const cacheControl = LIST_CACHE_CONTROL;
      return wantsJson(req)
        ? respond(JSON.stringify(paths), { type: JSON_TEXT, cacheControl })
        : respond(["=^.^=", ...paths].join("\n"), { cacheControl });
    },
  };
}

/** A list as it is given out until it is too old. */
interface Answer {
  readonly body: string;
  readonly headers: Headers;
}

function createListRoutes(tables: readonly TableRoute[]): readonly Route[] {
  const answers = new Cached<Answer>({ ttlMs: LIST_TTL_MS });
  return tables.map((table) => ({
    path: table.path,
    answer({ req }) {
      const isJson = wantsJson(req);
      const at = req.url.indexOf("?");
      const search = at < 0 ? "" : req.url.slice(at + 1);
      const answer = answers.get(`${isJson} ${table.path} ${search}`, async () => {
        const { body, next } = await table.answer({ query: new URLSearchParams(search), isJson });
        const headers = createHeaders({
          type: isJson ? JSON_TEXT : TEXT,
          cacheControl: LIST_CACHE_CONTROL,
          next: next ? { search, before: next } : undefined,
        });
        return { body, headers };
      });
      const give = ({ body, headers }: Answer) => new Response(body, { headers });
      return answer instanceof Promise ? answer.then(give) : give(answer);
    },
  }));
}

function createPageRoute(stores: Stores): Route {
  const path = "/_cat/hashes/:hash";
  const pages = new Cached<string | undefined>({ ttlMs: LIST_TTL_MS, maxEntries: MAX_CACHED_PAGES });
  const headers = createHeaders({ cacheControl: PAGE_CACHE_CONTROL });
  return {
    path,
    async answer({ req }) {
      if (req.url.includes("?")) parseFormat(new URL(req.url).searchParams, "/_cat/hashes/{hash}");
      const hash = req.param("hash") ?? "";
      const page = HASH.test(hash)
        ? await pages.get(hash, async () =>
            (await stores.pages((reader) => reader.readPages([hash]))).get(hash),
          )
        : undefined;
      if (page !== undefined) return new Response(page, { headers });
      throw new CatError("Hash not found", { status: 404, type: "resource_not_found_exception" });
    },
  };
}

function createReadyRoute(stores: Stores): Route {
  return {
    path: "/readyz",
    async answer() {
      const states = await stores.check();
      const isReady = states.every(({ state }) => state === "up");
      const lines = states.map(({ store, state }) => `${store} ${state}`);
      return respond(lines.join("\n"), { status: isReady ? 200 : 503 });
    },
  };
}
