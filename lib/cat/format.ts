import type { HonoRequest } from "hono";
import { parseAccept } from "hono/utils/accept";

/** Whether a request asks for JSON: by `format`, else by an `Accept` header that names JSON before text. */
export function wantsJson(request: HonoRequest): boolean {
  const format = request.query("format");
  return format === undefined ? acceptsFirst(request, "application/json", "text/plain") : format === "json";
}

/** Whether a request's `Accept` header names one type, and prefers it to another. */
export function acceptsFirst(request: HonoRequest, type: string, other: string): boolean {
  const header = request.header("accept");
  if (!header?.includes(type)) return false; // the common case costs nothing
  const accepted = parseAccept(header); // the most wanted first
  const rank = (name: string) =>
    accepted.findIndex((entry) => entry.type.toLowerCase() === name && entry.q > 0);
  return rank(type) >= 0 && (rank(other) < 0 || rank(type) < rank(other));
}
