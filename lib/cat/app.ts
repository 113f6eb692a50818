import { Hono, type Context } from "hono";
import type { Log } from "../log.ts";
import type { ClientRow, HashRow, PageReader, StatsReader } from "../store/store.ts";
import { renderTable, type Column } from "./table.ts";

/** Options of {@linkcode createCat}. */
export interface CatOptions {
  readonly pages: PageReader;
  readonly stats: StatsReader;
  readonly log: Log;
}

const LISTED_HASHES = 100;

const ROUTES = ["/_cat/hashes", "/_cat/hashes/{hash}", "/_cat/clients"];

const HASH_COLUMNS: readonly Column<HashRow>[] = [
  { name: "hash", kind: "text", value: (row) => row.hash },
  { name: "timestamp", kind: "time", value: (row) => row.receivedAtSeconds },
];

const CLIENT_COLUMNS: readonly Column<ClientRow>[] = [
  { name: "client", kind: "text", value: (row) => row.ip },
  { name: "count", kind: "number", value: (row) => row.messages },
];

/** Creates the stats API, in the style of Elasticsearch's `_cat`: plain text for people and for line tools. */
export function createCat({ pages, stats, log }: CatOptions): Hono {
  const app = new Hono({ strict: false });
  app.get("/", (context) => context.redirect("/_cat"));
  app.get("/_cat", (context) => plain(context, ["=^.^=", ...ROUTES].join("\n")));
  app.get("/_cat/hashes", async (context) =>
    plain(context, renderTable(HASH_COLUMNS, await stats.listHashes({ limit: LISTED_HASHES }))),
  );
  app.get("/_cat/hashes/:hash", async (context) => {
    const hash = context.req.param("hash");
    const payload = (await pages.readPages([hash])).get(hash);
    return payload === undefined ? plain(context, "Hash not found", 404) : plain(context, payload);
  });
  app.get("/_cat/clients", async (context) =>
    plain(context, renderTable(CLIENT_COLUMNS, await stats.listClients())),
  );
  app.notFound((context) => plain(context, "Not found: /_cat lists what there is", 404));
  app.onError((error, context) => {
    log.error(`Cannot answer ${context.req.path}: ${error.message}`);
    return plain(context, "Cannot read the store now: try again later", 503);
  });
  return app;
}

function plain(context: Context, text: string, status: 200 | 404 | 503 = 200): Response {
  // A page is shown as text: a browser must not take it for the HTML it is.
  const headers = { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" };
  return context.body(text, status, headers);
}
