import type { Context } from "hono";
import { wantsJson } from "./format.ts";

/** An error that whoever asked can read; its message is one sentence, or the older implementations' body. */
export class CatError extends Error {
  override readonly name = "CatError";
  readonly code = "cat";
  readonly status: number;
  /** Kind of error in Elasticsearch's terms. */
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    message: string,
    { status, type, headers = {} }: Pick<CatError, "status" | "type"> & Partial<Pick<CatError, "headers">>,
  ) {
    super(message);
    this.status = status;
    this.type = type;
    this.headers = headers;
  }
}

/** Creates the error for a parameter that cannot be used. */
export function badParameter(message: string): CatError {
  return new CatError(message, { status: 400, type: "illegal_argument_exception" });
}

/** Renders an error: JSON in Elasticsearch's shape for those who ask for JSON, text for everybody else. */
export function renderError(
  { message: reason, status, type, headers }: CatError,
  context: Context,
): Response {
  const cause = { type, reason };
  const isJson = wantsJson(context.req);
  return new Response(
    isJson ? JSON.stringify({ error: { root_cause: [cause], ...cause }, status }) : reason,
    {
      status,
      headers: {
        "content-type": isJson ? "application/json; charset=utf-8" : "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        ...headers,
      },
    },
  );
}
