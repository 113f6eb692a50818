import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { wantsJson } from "./format.ts";
import { JSON_TEXT, TEXT } from "./respond.ts";

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

/** Puts whatever went wrong into what whoever asked may know of it. */
export function explainError(error: Error): CatError {
  if (error instanceof CatError) return error;
  if (error instanceof HTTPException && error.status === 401) {
    const challenge = error.getResponse().headers.get("www-authenticate") ?? "Basic";
    return new CatError("Cannot answer without a user and a password that are right", {
      status: 401,
      type: "security_exception",
      headers: { "www-authenticate": challenge },
    });
  }
  return new CatError("Cannot answer because of an error of this program: its log tells more", {
    status: 500,
    type: "exception",
  });
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
        "content-type": isJson ? JSON_TEXT : TEXT,
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        ...headers,
      },
    },
  );
}
