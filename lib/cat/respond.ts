import type { Context } from "hono";

/** A path and what answers requests for it. */
export interface Route {
  readonly path: string;
  readonly answer: (context: Context) => Response | Promise<Response>;
}

/** Content type of text. */
export const TEXT = "text/plain; charset=utf-8";
/** Content type of JSON. */
export const JSON_TEXT = "application/json; charset=utf-8";

/** What the headers of an answer say. */
export interface HeaderValues {
  /** @default {TEXT} */
  readonly type?: string | undefined;
  /** @default {"no-store"} */
  readonly cacheControl?: string | undefined;
  /** The `before` that lists the rows behind these. */
  readonly next?: { readonly search: string; readonly before: string } | undefined;
}

/** Creates an answer. */
export function respond(body: string, values: HeaderValues & { readonly status?: number } = {}): Response {
  return new Response(body, { status: values.status ?? 200, headers: createHeaders(values) });
}

/** Creates the headers of an answer. */
export function createHeaders({ type = TEXT, cacheControl = "no-store", next }: HeaderValues): Headers {
  return new Headers({
    "content-type": type,
    "cache-control": cacheControl,
    vary: "Accept, Accept-Encoding",
    // A page is shown as text: a browser must not take it for the HTML it is.
    "x-content-type-options": "nosniff",
    ...(next ? { link: nextLink(next) } : {}),
  });
}

/** Tells how to go on, as RFC 8288 ("Web Linking") has it; relative, as a proxy may stand in front. */
function nextLink({ search, before }: { readonly search: string; readonly before: string }): string {
  const query = new URLSearchParams(search);
  query.set("before", before);
  return `<?${query}>; rel="next"`;
}
